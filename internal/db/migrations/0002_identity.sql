-- Who may do what: accounts, and in each IAM's users, roles, managed policies
-- and access keys. A name_key is the name in lower case: IAM's names are
-- unique ignoring case. An owner is the unique id of a user, a role or a
-- managed policy, for access keys of the root user the account.
CREATE TABLE accounts (
	account TEXT   NOT NULL PRIMARY KEY,
	created BIGINT NOT NULL
);

CREATE TABLE iam_users (
	account  TEXT   NOT NULL REFERENCES accounts (account),
	id       TEXT   NOT NULL,
	name     TEXT   NOT NULL,
	name_key TEXT   NOT NULL,
	path     TEXT   NOT NULL,
	boundary TEXT,              -- ARN of a managed policy
	created  BIGINT NOT NULL,
	PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX iam_users_name ON iam_users (account, name_key);
CREATE INDEX iam_users_boundary ON iam_users (account, boundary);

CREATE TABLE iam_roles (
	account          TEXT   NOT NULL REFERENCES accounts (account),
	id               TEXT   NOT NULL,
	name             TEXT   NOT NULL,
	name_key         TEXT   NOT NULL,
	path             TEXT   NOT NULL,
	description      TEXT,
	max_session      BIGINT NOT NULL, -- seconds
	trust            TEXT   NOT NULL, -- the document as written
	trust_ids        TEXT   NOT NULL, -- JSON: principal as written -> unique id
	boundary         TEXT,
	created          BIGINT NOT NULL,
	last_used        BIGINT,
	last_used_region TEXT,
	PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX iam_roles_name ON iam_roles (account, name_key);
CREATE INDEX iam_roles_boundary ON iam_roles (account, boundary);

CREATE TABLE iam_policies (
	account         TEXT   NOT NULL REFERENCES accounts (account),
	id              TEXT   NOT NULL,
	name            TEXT   NOT NULL,
	name_key        TEXT   NOT NULL,
	path            TEXT   NOT NULL,
	arn             TEXT   NOT NULL,
	description     TEXT,
	default_version BIGINT NOT NULL,
	last_version    BIGINT NOT NULL, -- numbers are never used again
	created         BIGINT NOT NULL,
	updated         BIGINT NOT NULL,
	PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX iam_policies_name ON iam_policies (account, name_key);
CREATE UNIQUE INDEX iam_policies_arn ON iam_policies (arn);

CREATE TABLE iam_policy_versions (
	account   TEXT   NOT NULL,
	policy_id TEXT   NOT NULL,
	version   BIGINT NOT NULL,
	document  TEXT   NOT NULL,
	created   BIGINT NOT NULL,
	PRIMARY KEY (account, policy_id, version),
	FOREIGN KEY (account, policy_id) REFERENCES iam_policies (account, id) ON DELETE CASCADE
);

CREATE TABLE iam_inline_policies (
	account  TEXT NOT NULL REFERENCES accounts (account),
	owner    TEXT NOT NULL,
	name     TEXT NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (account, owner, name)
);

CREATE TABLE iam_attachments (
	account    TEXT NOT NULL REFERENCES accounts (account),
	owner      TEXT NOT NULL,
	policy_arn TEXT NOT NULL,
	PRIMARY KEY (account, owner, policy_arn)
);
CREATE INDEX iam_attachments_policy ON iam_attachments (account, policy_arn);

CREATE TABLE iam_tags (
	account TEXT NOT NULL REFERENCES accounts (account),
	owner   TEXT NOT NULL,
	key_key TEXT NOT NULL, -- lower case: tag keys are unique ignoring case
	key     TEXT NOT NULL,
	value   TEXT NOT NULL,
	PRIMARY KEY (account, owner, key_key)
);

CREATE TABLE iam_access_keys (
	id                TEXT    NOT NULL PRIMARY KEY,
	account           TEXT    NOT NULL REFERENCES accounts (account),
	owner             TEXT    NOT NULL,
	secret            BYTEA   NOT NULL, -- sealed
	active            BOOLEAN NOT NULL,
	created           BIGINT  NOT NULL,
	last_used         BIGINT,
	last_used_service TEXT,
	last_used_region  TEXT
);
CREATE INDEX iam_access_keys_owner ON iam_access_keys (account, owner, id);
