-- The rest of the registry: groups of things, the accounts' own CAs, settings.
-- As in 0003, everything belongs to one account in one region.
ALTER TABLE iot_thing_types ADD COLUMN mqtt5 TEXT NOT NULL DEFAULT ''; -- JSON, or empty

-- A thing's type beside its attributes, for ListThings by both.
ALTER TABLE iot_thing_attributes ADD COLUMN type TEXT;
UPDATE iot_thing_attributes SET type = (SELECT t.type FROM iot_things t
	WHERE t.account = iot_thing_attributes.account AND t.region = iot_thing_attributes.region AND t.name = iot_thing_attributes.thing);
CREATE INDEX iot_thing_attributes_type ON iot_thing_attributes (account, region, name, type, value, thing) WHERE type IS NOT NULL;

CREATE TABLE iot_thing_groups (
	account     TEXT   NOT NULL,
	region      TEXT   NOT NULL,
	name        TEXT   NOT NULL,
	id          TEXT   NOT NULL,
	parent      TEXT,
	path        TEXT   NOT NULL, -- names from the root group to this one, with / between
	description TEXT,
	attributes  TEXT   NOT NULL, -- JSON, keys sorted
	version     BIGINT NOT NULL,
	created     BIGINT NOT NULL,
	PRIMARY KEY (account, region, name),
	FOREIGN KEY (account, region, parent) REFERENCES iot_thing_groups (account, region, name)
);
CREATE INDEX iot_thing_groups_parent ON iot_thing_groups (account, region, parent, name);
CREATE INDEX iot_thing_groups_path ON iot_thing_groups (account, region, path);

-- root is the topmost group above the one: no thing is twice under one root.
CREATE TABLE iot_thing_group_members (
	account    TEXT NOT NULL,
	region     TEXT NOT NULL,
	group_name TEXT NOT NULL,
	thing      TEXT NOT NULL,
	root       TEXT NOT NULL,
	PRIMARY KEY (account, region, thing, group_name),
	FOREIGN KEY (account, region, group_name) REFERENCES iot_thing_groups (account, region, name),
	FOREIGN KEY (account, region, thing) REFERENCES iot_things (account, region, name)
);
CREATE UNIQUE INDEX iot_thing_group_members_root ON iot_thing_group_members (account, region, thing, root);
CREATE INDEX iot_thing_group_members_group ON iot_thing_group_members (account, region, group_name, thing);

CREATE TABLE iot_billing_groups (
	account     TEXT   NOT NULL,
	region      TEXT   NOT NULL,
	name        TEXT   NOT NULL,
	id          TEXT   NOT NULL,
	description TEXT,
	version     BIGINT NOT NULL,
	created     BIGINT NOT NULL,
	PRIMARY KEY (account, region, name)
);
ALTER TABLE iot_things ADD COLUMN billing_group TEXT;
CREATE INDEX iot_things_billing_group ON iot_things (account, region, billing_group, name);

-- Policies attached to groups: iot_policy_attachments with the group's ARN as target.
ALTER TABLE iot_policy_attachments ADD COLUMN group_name TEXT; -- when the target is a thing group
CREATE INDEX iot_policy_attachments_group ON iot_policy_attachments (account, region, group_name);

CREATE TABLE iot_ca_certificates (
	account             TEXT   NOT NULL,
	region              TEXT   NOT NULL,
	id                  TEXT   NOT NULL, -- hex SHA-256 of the DER
	status              TEXT   NOT NULL, -- ACTIVE or INACTIVE
	auto_registration   TEXT   NOT NULL, -- ENABLE or DISABLE
	mode                TEXT   NOT NULL, -- DEFAULT or SNI_ONLY
	subject             BYTEA  NOT NULL, -- DER of its subject, as issuers name it
	key_id              BYTEA  NOT NULL, -- its subject key id, or empty
	pem                 TEXT   NOT NULL,
	registration_config TEXT   NOT NULL, -- JSON, or empty
	not_before          BIGINT NOT NULL,
	not_after           BIGINT NOT NULL,
	version             BIGINT NOT NULL, -- customerVersion
	generation          TEXT   NOT NULL,
	created             BIGINT NOT NULL,
	modified            BIGINT NOT NULL,
	PRIMARY KEY (account, region, id)
);
CREATE INDEX iot_ca_certificates_subject ON iot_ca_certificates (subject);
-- A CA is in mode DEFAULT in one account of a region.
CREATE UNIQUE INDEX iot_ca_certificates_default ON iot_ca_certificates (region, id) WHERE mode = 'DEFAULT';
CREATE INDEX iot_ca_certificates_created ON iot_ca_certificates (account, region, created, id);
CREATE INDEX iot_certificates_ca ON iot_certificates (account, region, ca, created, id);

-- Settings of an account in a region, one row each: the registration code,
-- event configurations, logging options.
CREATE TABLE iot_settings (
	account TEXT NOT NULL,
	region  TEXT NOT NULL,
	name    TEXT NOT NULL,
	value   TEXT NOT NULL,
	PRIMARY KEY (account, region, name)
);

-- Levels of logging for single targets: a thing group, a client id, a source
-- IP, a principal id.
CREATE TABLE iot_logging_levels (
	account     TEXT NOT NULL,
	region      TEXT NOT NULL,
	target_type TEXT NOT NULL,
	target      TEXT NOT NULL,
	level       TEXT NOT NULL,
	PRIMARY KEY (account, region, target_type, target)
);
