-- Device shadows, one row each: the classic one of a thing has the empty name.
-- A deleted shadow keeps its row without a state, since versions go on from
-- where they were if it is made again. revision counts all writes, deletions
-- too: a write is taken only on the revision that it was made of.
CREATE TABLE iot_shadows (
	account  TEXT   NOT NULL,
	region   TEXT   NOT NULL,
	thing    TEXT   NOT NULL, -- need not be in the registry
	name     TEXT   NOT NULL,
	revision BIGINT NOT NULL,
	version  BIGINT NOT NULL,
	state    TEXT,            -- JSON: desired and reported; NULL: deleted
	times    BYTEA  NOT NULL, -- when each scalar of the state was set
	updated  BIGINT NOT NULL, -- milliseconds
	PRIMARY KEY (account, region, thing, name)
);
