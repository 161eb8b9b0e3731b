-- Kinesis Video streams. id names one life of a stream: a stream that is deleted and created again has another.
CREATE TABLE video_streams (
	account     TEXT   NOT NULL,
	region      TEXT   NOT NULL,
	name        TEXT   NOT NULL,
	id          TEXT   NOT NULL,
	created     BIGINT NOT NULL,
	version     TEXT   NOT NULL,
	retention   BIGINT NOT NULL, -- hours
	device_name TEXT   NOT NULL,
	media_type  TEXT   NOT NULL,
	kms_key     TEXT   NOT NULL,
	tags        TEXT   NOT NULL, -- a JSON object
	PRIMARY KEY (account, region, name)
);
CREATE UNIQUE INDEX video_streams_id ON video_streams (account, region, id);

-- Deleted streams whose fragments and chunks are still to be given back.
CREATE TABLE video_deleted_streams (
	account TEXT NOT NULL,
	region  TEXT NOT NULL,
	stream  TEXT NOT NULL,
	PRIMARY KEY (account, region, stream)
);

-- Files of media, each written by one PutMedia connection. size and last cover what fragments say of them: bytes
-- behind size belong to no fragment. state: 0 leased to a connection of the process owner, 1 complete, 2 to be removed.
CREATE TABLE video_chunks (
	account TEXT   NOT NULL,
	region  TEXT   NOT NULL,
	stream  TEXT   NOT NULL,
	chunk   TEXT   NOT NULL,
	owner   TEXT   NOT NULL,
	state   BIGINT NOT NULL,
	size    BIGINT NOT NULL,
	last    BIGINT NOT NULL, -- server time of the newest fragment
	PRIMARY KEY (account, region, stream, chunk)
);
CREATE INDEX video_chunks_state ON video_chunks (state, account, region, stream, last);

CREATE TABLE video_fragments (
	account       TEXT   NOT NULL,
	region        TEXT   NOT NULL,
	stream        TEXT   NOT NULL,
	number        TEXT   NOT NULL,
	producer      BIGINT NOT NULL, -- the producer's clock at its start
	server        BIGINT NOT NULL, -- ours when its first byte came
	duration      BIGINT NOT NULL,
	chunk         TEXT   NOT NULL,
	header_offset BIGINT NOT NULL,
	header_size   BIGINT NOT NULL,
	media_offset  BIGINT NOT NULL,
	media_size    BIGINT NOT NULL,
	PRIMARY KEY (account, region, stream, number)
);
CREATE INDEX video_fragments_producer ON video_fragments (account, region, stream, producer, number);
CREATE INDEX video_fragments_server ON video_fragments (account, region, stream, server, number);
