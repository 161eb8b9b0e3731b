-- The rows of a chunk's last fragments may be on disk before their bytes are: unsynced is the number of the first of
-- them, '' when there are none, and synced how many bytes of the file are on disk in any case. It matters while
-- the chunk is leased.
ALTER TABLE video_chunks ADD COLUMN unsynced TEXT NOT NULL DEFAULT '';
ALTER TABLE video_chunks ADD COLUMN synced BIGINT NOT NULL DEFAULT 0;

-- CRC-32C of what a fragment's document begins with; -1 of those from before.
ALTER TABLE video_fragments ADD COLUMN header_crc BIGINT NOT NULL DEFAULT -1;
