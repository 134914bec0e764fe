-- Version 1. Times are nanoseconds since 1970, UTC.

CREATE TABLE eventstore_store (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	version  INTEGER NOT NULL, -- of these tables
	identity TEXT NOT NULL     -- of the history
) STRICT;

-- Types, tags and streams are numbers elsewhere.
CREATE TABLE eventstore_names (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE eventstore_events (
	position  INTEGER PRIMARY KEY,
	id        ANY NOT NULL UNIQUE, -- 16 bytes if it is a UUID, else text
	type      INTEGER NOT NULL,    -- a name
	schema    INTEGER NOT NULL,
	stream    INTEGER,             -- a name; NULL: none
	version   INTEGER NOT NULL,    -- in the stream; 0 without one
	tags      BLOB,                -- names as varints, in the order of their texts; NULL: none
	data      BLOB,
	meta      TEXT,                -- an object of strings; NULL: none
	time_ns   INTEGER NOT NULL,
	stored_ns INTEGER NOT NULL
) STRICT;
-- The rowid, which is the position, is the last column of every index.
CREATE INDEX eventstore_by_type ON eventstore_events (type);
CREATE INDEX eventstore_by_stream ON eventstore_events (stream) WHERE stream IS NOT NULL;

-- The tags of the events, to be searched.
CREATE TABLE eventstore_tags (
	tag      INTEGER NOT NULL,
	position INTEGER NOT NULL,
	type     INTEGER NOT NULL, -- of the event: a query with types need not look at it
	PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE eventstore_checkpoints (
	key        TEXT PRIMARY KEY,
	position   INTEGER NOT NULL,
	stopped    TEXT NOT NULL DEFAULT '',
	updated_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE eventstore_dead_letters (
	key       TEXT NOT NULL,
	position  INTEGER NOT NULL,
	error     TEXT NOT NULL,
	attempts  INTEGER NOT NULL,
	first_ns  INTEGER, -- NULL: the zero time
	last_ns   INTEGER,
	requested INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE eventstore_snapshots (
	name     TEXT NOT NULL,
	version  INTEGER NOT NULL,
	position INTEGER NOT NULL,
	identity TEXT NOT NULL,
	event_id TEXT NOT NULL,
	data     BLOB,
	sum      BLOB,
	taken_ns INTEGER,
	PRIMARY KEY (name, version)
) STRICT;

CREATE TABLE eventstore_subjects (
	subject TEXT PRIMARY KEY,
	id      TEXT NOT NULL UNIQUE,
	key     BLOB NOT NULL
) STRICT;
