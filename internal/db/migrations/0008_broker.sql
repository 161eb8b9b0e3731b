-- The broker's messages: one row of encoded records a commit, or several when
-- it is large (internal/msglog, record.go). A row goes when nothing in it is
-- of use any more.
CREATE TABLE mqtt_log (
	batch BIGINT NOT NULL PRIMARY KEY,
	data  BYTEA  NOT NULL
);

-- Who may write the log, one row: whoever opens it raises epoch, and commits of
-- an older epoch fail. commits is the number of the last commit, by which the
-- outcome of one is known whose connection was lost.
CREATE TABLE mqtt_log_owner (
	name    TEXT   NOT NULL PRIMARY KEY,
	epoch   BIGINT NOT NULL,
	commits BIGINT NOT NULL
);

-- Persistent sessions. session is the number that records of the log name.
CREATE TABLE mqtt_sessions (
	session   BIGINT NOT NULL PRIMARY KEY,
	account   TEXT   NOT NULL,
	region    TEXT   NOT NULL,
	client_id TEXT   NOT NULL,
	state     BYTEA  NOT NULL -- internal/msglog, sessioncodec.go
);

CREATE TABLE mqtt_retained (
	account TEXT  NOT NULL,
	region  TEXT  NOT NULL,
	topic   TEXT  NOT NULL,
	message BYTEA NOT NULL, -- as the broker encodes it
	PRIMARY KEY (account, region, topic)
);
