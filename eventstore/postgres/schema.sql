-- Version 1. {s} is the schema. What is compared is compared by bytes: COLLATE "C".

CREATE TABLE {s}.store (
	one      boolean PRIMARY KEY DEFAULT true CHECK (one),
	version  integer NOT NULL, -- of these tables
	identity text NOT NULL     -- of the history
);

-- The position of the last event. Whoever appends locks the row until the end
-- of the transaction.
CREATE TABLE {s}.counter (
	one      boolean PRIMARY KEY DEFAULT true CHECK (one),
	position bigint NOT NULL
) WITH (fillfactor = 10); -- room for updates in place
INSERT INTO {s}.counter (position) VALUES (0);

CREATE TABLE {s}.events (
	position  bigint PRIMARY KEY,
	id        text COLLATE "C" NOT NULL UNIQUE,
	type      text COLLATE "C" NOT NULL,
	schema    integer NOT NULL,
	stream    text COLLATE "C", -- NULL: none
	version   bigint NOT NULL,  -- in the stream; 0 without one
	tags      text[] COLLATE "C", -- sorted; NULL: none
	data      bytea NOT NULL,
	meta      jsonb,            -- an object of strings; NULL: none
	time_ns   bigint NOT NULL,  -- nanoseconds since 1970, UTC
	stored_ns bigint NOT NULL
);
CREATE INDEX events_by_type ON {s}.events (type, position);
CREATE INDEX events_by_stream ON {s}.events (stream, position) INCLUDE (version) WHERE stream IS NOT NULL;

-- The tags of the events, to be searched.
CREATE TABLE {s}.event_tags (
	tag      text COLLATE "C" NOT NULL,
	position bigint NOT NULL,
	PRIMARY KEY (tag, position)
);

CREATE TABLE {s}.checkpoints (
	key        text COLLATE "C" PRIMARY KEY,
	position   bigint NOT NULL,
	stopped    text NOT NULL DEFAULT '',
	updated_ns bigint NOT NULL
);

CREATE TABLE {s}.dead_letters (
	key       text COLLATE "C" NOT NULL REFERENCES {s}.checkpoints ON DELETE CASCADE,
	position  bigint NOT NULL,
	error     text NOT NULL,
	attempts  integer NOT NULL,
	first_ns  bigint, -- NULL: the zero time
	last_ns   bigint,
	requested boolean NOT NULL DEFAULT false,
	PRIMARY KEY (key, position)
);

CREATE TABLE {s}.snapshots (
	name     text COLLATE "C" NOT NULL,
	version  bigint NOT NULL,
	position bigint NOT NULL,
	identity text NOT NULL,
	event_id text NOT NULL,
	data     bytea,
	sum      bytea,
	taken_ns bigint,
	PRIMARY KEY (name, version)
);

CREATE TABLE {s}.subjects (
	subject text COLLATE "C" PRIMARY KEY,
	id      text COLLATE "C" NOT NULL UNIQUE,
	key     bytea NOT NULL
);
