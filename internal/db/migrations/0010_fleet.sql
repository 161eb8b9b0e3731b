-- The fleet simulator. Whatever may hold secrets is sealed: models and their
-- settings, the states that devices keep, what runs have said, glob values.

-- Tests: a device model with the values of its settings.
CREATE TABLE fleet_tests (
	account     TEXT   NOT NULL,
	region      TEXT   NOT NULL,
	name        TEXT   NOT NULL,
	sample      TEXT,            -- that it was made from
	description TEXT   NOT NULL, -- the model's
	model       BYTEA  NOT NULL, -- sealed JSON
	settings    BYTEA  NOT NULL, -- sealed JSON
	version     BIGINT NOT NULL,
	created     BIGINT NOT NULL, -- milliseconds, as all times
	updated     BIGINT NOT NULL,
	PRIMARY KEY (account, region, name)
);

CREATE TABLE fleet_run_settings (
	account  TEXT   NOT NULL,
	region   TEXT   NOT NULL,
	name     TEXT   NOT NULL,
	settings TEXT   NOT NULL, -- JSON
	created  BIGINT NOT NULL,
	updated  BIGINT NOT NULL,
	PRIMARY KEY (account, region, name)
);

-- Runs. Their ids are in the order of their start. started is NULL for a run
-- that never had its turn, ended for one that is still under way.
CREATE TABLE fleet_runs (
	account      TEXT   NOT NULL,
	region       TEXT   NOT NULL,
	id           TEXT   NOT NULL,
	test         TEXT   NOT NULL,
	test_version BIGINT NOT NULL,
	run_setting  TEXT,            -- that it was started with, if it was a stored one
	settings     TEXT   NOT NULL, -- JSON: run settings, as they hold
	clients      BIGINT NOT NULL,
	status       TEXT   NOT NULL,
	reason       TEXT   NOT NULL,
	created      BIGINT NOT NULL,
	started      BIGINT,
	ended        BIGINT,
	PRIMARY KEY (account, region, id),
	FOREIGN KEY (account, region, test) REFERENCES fleet_tests (account, region, name) ON DELETE CASCADE
);
CREATE INDEX fleet_runs_by_test ON fleet_runs (account, region, test, id);
CREATE INDEX fleet_runs_by_status ON fleet_runs (status);

-- What a run has told of itself: snapshot, series, logs, result.
CREATE TABLE fleet_run_documents (
	account TEXT  NOT NULL,
	region  TEXT  NOT NULL,
	run     TEXT  NOT NULL,
	kind    TEXT  NOT NULL,
	body    BYTEA NOT NULL, -- sealed, compressed JSON
	PRIMARY KEY (account, region, run, kind),
	FOREIGN KEY (account, region, run) REFERENCES fleet_runs (account, region, id) ON DELETE CASCADE
);

-- Devices of a run that has ended.
CREATE TABLE fleet_run_devices (
	account TEXT   NOT NULL,
	region  TEXT   NOT NULL,
	run     TEXT   NOT NULL,
	client  BIGINT NOT NULL,
	phase   TEXT   NOT NULL,
	body    BYTEA  NOT NULL, -- sealed JSON
	PRIMARY KEY (account, region, run, client),
	FOREIGN KEY (account, region, run) REFERENCES fleet_runs (account, region, id) ON DELETE CASCADE
);

-- States that devices keep from one run of a test to the next.
CREATE TABLE fleet_states (
	account TEXT   NOT NULL,
	region  TEXT   NOT NULL,
	test    TEXT   NOT NULL,
	client  BIGINT NOT NULL,
	state   BYTEA  NOT NULL, -- sealed JSON
	PRIMARY KEY (account, region, test, client),
	FOREIGN KEY (account, region, test) REFERENCES fleet_tests (account, region, name) ON DELETE CASCADE
);

-- Glob storage: values that the runs of an account share.
CREATE TABLE fleet_glob (
	account TEXT   NOT NULL,
	region  TEXT   NOT NULL,
	key     TEXT   NOT NULL,
	value   BYTEA  NOT NULL, -- sealed JSON
	size    BIGINT NOT NULL, -- of the value, in bytes
	updated BIGINT NOT NULL,
	PRIMARY KEY (account, region, key)
);

-- How much there is in glob storage, counted as it changes.
CREATE TABLE fleet_glob_usage (
	account TEXT   NOT NULL,
	region  TEXT   NOT NULL,
	keys    BIGINT NOT NULL,
	bytes   BIGINT NOT NULL, -- of keys and values
	PRIMARY KEY (account, region)
);
