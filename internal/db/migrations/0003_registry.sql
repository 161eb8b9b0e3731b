-- What is registered: things and their types, certificates, IoT policies, who
-- is attached to what, role aliases. Everything belongs to one account in one
-- region. Times are milliseconds; a created column orders the listings.
CREATE TABLE iot_thing_types (
	account     TEXT   NOT NULL,
	region      TEXT   NOT NULL,
	name        TEXT   NOT NULL,
	id          TEXT   NOT NULL,
	description TEXT,
	searchable  TEXT   NOT NULL, -- JSON: names of attributes
	deprecated  BIGINT,          -- since
	created     BIGINT NOT NULL,
	PRIMARY KEY (account, region, name)
);

CREATE TABLE iot_things (
	account    TEXT   NOT NULL,
	region     TEXT   NOT NULL,
	name       TEXT   NOT NULL,
	id         TEXT   NOT NULL,
	type       TEXT,
	attributes TEXT   NOT NULL, -- JSON, keys sorted
	version    BIGINT NOT NULL,
	created    BIGINT NOT NULL,
	PRIMARY KEY (account, region, name),
	FOREIGN KEY (account, region, type) REFERENCES iot_thing_types (account, region, name)
);
CREATE INDEX iot_things_type ON iot_things (account, region, type, name);

-- The attributes once more, for ListThings to search by.
CREATE TABLE iot_thing_attributes (
	account TEXT NOT NULL,
	region  TEXT NOT NULL,
	thing   TEXT NOT NULL,
	name    TEXT NOT NULL,
	value   TEXT NOT NULL,
	PRIMARY KEY (account, region, thing, name),
	FOREIGN KEY (account, region, thing) REFERENCES iot_things (account, region, name) ON DELETE CASCADE
);
CREATE INDEX iot_thing_attributes_value ON iot_thing_attributes (account, region, name, value, thing);

CREATE TABLE iot_certificates (
	account    TEXT   NOT NULL,
	region     TEXT   NOT NULL,
	id         TEXT   NOT NULL, -- hex SHA-256 of the DER
	status     TEXT   NOT NULL,
	mode       TEXT   NOT NULL, -- DEFAULT or SNI_ONLY
	ca         TEXT,            -- id of the account's own CA that signed it
	pem        TEXT   NOT NULL,
	not_before BIGINT NOT NULL,
	not_after  BIGINT NOT NULL,
	version    BIGINT NOT NULL, -- customerVersion
	generation TEXT   NOT NULL,
	created    BIGINT NOT NULL,
	modified   BIGINT NOT NULL,
	PRIMARY KEY (account, region, id)
);
CREATE INDEX iot_certificates_id ON iot_certificates (id, created);
CREATE INDEX iot_certificates_created ON iot_certificates (account, region, created, id);

CREATE TABLE iot_policies (
	account         TEXT   NOT NULL,
	region          TEXT   NOT NULL,
	name            TEXT   NOT NULL,
	default_version BIGINT NOT NULL,
	last_version    BIGINT NOT NULL, -- numbers are never used again
	generation      TEXT   NOT NULL,
	created         BIGINT NOT NULL,
	modified        BIGINT NOT NULL,
	PRIMARY KEY (account, region, name)
);
CREATE INDEX iot_policies_created ON iot_policies (account, region, created, name);

CREATE TABLE iot_policy_versions (
	account    TEXT   NOT NULL,
	region     TEXT   NOT NULL,
	policy     TEXT   NOT NULL,
	version    BIGINT NOT NULL,
	document   TEXT   NOT NULL, -- as written
	generation TEXT   NOT NULL,
	created    BIGINT NOT NULL,
	PRIMARY KEY (account, region, policy, version),
	FOREIGN KEY (account, region, policy) REFERENCES iot_policies (account, region, name) ON DELETE CASCADE
);

-- A target is a certificate's ARN or a Cognito identity id.
CREATE TABLE iot_policy_attachments (
	account     TEXT   NOT NULL,
	region      TEXT   NOT NULL,
	policy      TEXT   NOT NULL,
	target      TEXT   NOT NULL,
	certificate TEXT,            -- its id, when the target is one
	created     BIGINT NOT NULL,
	PRIMARY KEY (account, region, target, policy),
	FOREIGN KEY (account, region, policy) REFERENCES iot_policies (account, region, name),
	FOREIGN KEY (account, region, certificate) REFERENCES iot_certificates (account, region, id)
);
CREATE INDEX iot_policy_attachments_policy ON iot_policy_attachments (account, region, policy, created, target);
CREATE INDEX iot_policy_attachments_certificate ON iot_policy_attachments (account, region, certificate);

-- A principal is a certificate's ARN or a Cognito identity id.
CREATE TABLE iot_thing_principals (
	account     TEXT    NOT NULL,
	region      TEXT    NOT NULL,
	thing       TEXT    NOT NULL,
	principal   TEXT    NOT NULL,
	certificate TEXT,            -- its id, when the principal is one
	exclusive   BOOLEAN NOT NULL,
	created     BIGINT  NOT NULL,
	PRIMARY KEY (account, region, thing, principal),
	FOREIGN KEY (account, region, thing) REFERENCES iot_things (account, region, name),
	FOREIGN KEY (account, region, certificate) REFERENCES iot_certificates (account, region, id)
);
CREATE INDEX iot_thing_principals_principal ON iot_thing_principals (account, region, principal, thing);
CREATE INDEX iot_thing_principals_certificate ON iot_thing_principals (account, region, certificate);

CREATE TABLE iot_role_aliases (
	account  TEXT   NOT NULL,
	region   TEXT   NOT NULL,
	name     TEXT   NOT NULL,
	role_arn TEXT   NOT NULL,
	duration BIGINT NOT NULL, -- seconds
	created  BIGINT NOT NULL,
	modified BIGINT NOT NULL,
	PRIMARY KEY (account, region, name)
);
CREATE INDEX iot_role_aliases_created ON iot_role_aliases (account, region, created, name);

-- Tags of what can have some; a resource is the last part of its ARN.
CREATE TABLE iot_tags (
	account  TEXT NOT NULL,
	region   TEXT NOT NULL,
	resource TEXT NOT NULL,
	key      TEXT NOT NULL,
	value    TEXT NOT NULL,
	PRIMARY KEY (account, region, resource, key)
);

-- The first labels of an account's endpoint names, made once for ever.
CREATE TABLE iot_endpoints (
	account TEXT NOT NULL,
	region  TEXT NOT NULL,
	kind    TEXT NOT NULL, -- data or credentials
	prefix  TEXT NOT NULL,
	PRIMARY KEY (account, region, kind)
);
CREATE UNIQUE INDEX iot_endpoints_prefix ON iot_endpoints (prefix);
