-- What is set for a stream beside itself, each a JSON object: kind is images, notification or storage. They go
-- with the stream.
CREATE TABLE video_settings (
	account TEXT NOT NULL,
	region  TEXT NOT NULL,
	stream  TEXT NOT NULL,
	kind    TEXT NOT NULL,
	value   TEXT NOT NULL,
	PRIMARY KEY (account, region, stream, kind)
);

-- The stream that a signaling channel's media are stored in: id, or empty when they are not.
CREATE TABLE video_channel_storage (
	account TEXT   NOT NULL,
	region  TEXT   NOT NULL,
	channel TEXT   NOT NULL,
	created BIGINT NOT NULL, -- the last part of the channel's ARN
	stream  TEXT   NOT NULL,
	PRIMARY KEY (account, region, channel)
);
CREATE INDEX video_channel_storage_stream ON video_channel_storage (account, region, stream);

-- CRC-32C of a fragment's media; -1 of those from before.
ALTER TABLE video_fragments ADD COLUMN crc BIGINT NOT NULL DEFAULT -1;
