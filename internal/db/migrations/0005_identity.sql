-- The rest of IAM: groups, passwords, instance profiles, identity providers,
-- MFA devices, account settings. As in 0002, a name_key is a name in lower case
-- and an owner of policies and tags is a unique id; providers and MFA devices,
-- which have none, own tags by their ARN.
ALTER TABLE accounts ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN email TEXT NOT NULL DEFAULT '';      -- of the root user, who signs in by it
ALTER TABLE accounts ADD COLUMN root_password TEXT NOT NULL DEFAULT ''; -- hash; empty: the root user cannot sign in
ALTER TABLE accounts ADD COLUMN root_signed_in BIGINT;
ALTER TABLE accounts ADD COLUMN alias TEXT;
CREATE UNIQUE INDEX accounts_alias ON accounts (alias);
CREATE UNIQUE INDEX accounts_email ON accounts (email) WHERE email <> '';

CREATE TABLE iam_groups (
	account  TEXT   NOT NULL REFERENCES accounts (account),
	id       TEXT   NOT NULL,
	name     TEXT   NOT NULL,
	name_key TEXT   NOT NULL,
	path     TEXT   NOT NULL,
	created  BIGINT NOT NULL,
	PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX iam_groups_name ON iam_groups (account, name_key);

CREATE TABLE iam_group_members (
	account  TEXT NOT NULL,
	group_id TEXT NOT NULL,
	user_id  TEXT NOT NULL,
	PRIMARY KEY (account, user_id, group_id),
	FOREIGN KEY (account, group_id) REFERENCES iam_groups (account, id),
	FOREIGN KEY (account, user_id) REFERENCES iam_users (account, id)
);
CREATE INDEX iam_group_members_group ON iam_group_members (account, group_id);

CREATE TABLE iam_login_profiles (
	account        TEXT    NOT NULL,
	user_id        TEXT    NOT NULL,
	hash           TEXT    NOT NULL,
	reset_required BOOLEAN NOT NULL,
	created        BIGINT  NOT NULL,
	changed        BIGINT  NOT NULL, -- the password was
	last_used      BIGINT,
	history        TEXT    NOT NULL, -- JSON: hashes of former passwords, newest first
	PRIMARY KEY (account, user_id),
	FOREIGN KEY (account, user_id) REFERENCES iam_users (account, id)
);

CREATE TABLE iam_password_policies (
	account  TEXT NOT NULL PRIMARY KEY REFERENCES accounts (account),
	settings TEXT NOT NULL -- JSON
);

CREATE TABLE iam_instance_profiles (
	account  TEXT   NOT NULL REFERENCES accounts (account),
	id       TEXT   NOT NULL,
	name     TEXT   NOT NULL,
	name_key TEXT   NOT NULL,
	path     TEXT   NOT NULL,
	created  BIGINT NOT NULL,
	role_id  TEXT,
	PRIMARY KEY (account, id),
	FOREIGN KEY (account, role_id) REFERENCES iam_roles (account, id)
);
CREATE UNIQUE INDEX iam_instance_profiles_name ON iam_instance_profiles (account, name_key);
CREATE INDEX iam_instance_profiles_role ON iam_instance_profiles (account, role_id);

CREATE TABLE iam_oidc_providers (
	account     TEXT   NOT NULL REFERENCES accounts (account),
	arn         TEXT   NOT NULL PRIMARY KEY,
	url         TEXT   NOT NULL, -- without https://, as in the ARN
	client_ids  TEXT   NOT NULL, -- JSON
	thumbprints TEXT   NOT NULL, -- JSON
	keys        TEXT   NOT NULL, -- JSON web key set; empty: none were given
	created     BIGINT NOT NULL
);
CREATE INDEX iam_oidc_providers_account ON iam_oidc_providers (account, arn);

CREATE TABLE iam_saml_providers (
	account     TEXT   NOT NULL REFERENCES accounts (account),
	arn         TEXT   NOT NULL PRIMARY KEY,
	name        TEXT   NOT NULL,
	metadata    TEXT   NOT NULL,
	valid_until BIGINT NOT NULL,
	created     BIGINT NOT NULL
);
CREATE INDEX iam_saml_providers_account ON iam_saml_providers (account, arn);

CREATE TABLE iam_mfa_devices (
	account  TEXT   NOT NULL REFERENCES accounts (account),
	arn      TEXT   NOT NULL, -- the serial number
	path     TEXT   NOT NULL,
	name     TEXT   NOT NULL,
	seed     BYTEA  NOT NULL, -- sealed
	owner    TEXT,            -- unique id of the user, the account for root; NULL: assigned to nobody
	enabled  BIGINT,
	step     BIGINT NOT NULL, -- of the last code taken, which is not taken again
	skew     BIGINT NOT NULL, -- steps that the device's clock is ahead
	failures BIGINT NOT NULL, -- wrong codes in a row
	locked   BIGINT NOT NULL, -- no code is taken before
	created  BIGINT NOT NULL,
	PRIMARY KEY (account, arn)
);
CREATE INDEX iam_mfa_devices_owner ON iam_mfa_devices (account, owner);

CREATE TABLE iam_credential_reports (
	account   TEXT   NOT NULL PRIMARY KEY REFERENCES accounts (account),
	content   BYTEA  NOT NULL,
	generated BIGINT NOT NULL
);

-- Wrong passwords in a row: who guesses is locked out. A subject is an account
-- and a user name, or an e-mail address, whether or not there is one.
CREATE TABLE signin_failures (
	subject  TEXT   NOT NULL PRIMARY KEY,
	failures BIGINT NOT NULL,
	last     BIGINT NOT NULL
);
CREATE INDEX signin_failures_last ON signin_failures (last);

-- Sign-ins to the console that last. The key is a hash of what the cookie says.
CREATE TABLE signin_sessions (
	id      TEXT   NOT NULL PRIMARY KEY,
	account TEXT   NOT NULL,
	owner   TEXT   NOT NULL, -- unique id of the user or role, the account for root
	name    TEXT   NOT NULL, -- of the role or federated session, or empty
	proof   TEXT   NOT NULL, -- digest of the password hash at sign-in: ends with the password; empty: signed in without
	claims  BYTEA  NOT NULL, -- sealed: what credentials of the session say
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL
);
CREATE INDEX signin_sessions_owner ON signin_sessions (account, owner, name, created);
CREATE INDEX signin_sessions_expires ON signin_sessions (expires);
