-- Version 2: eventstore_tags lags behind. It has the tags of all events up to
-- this position, and perhaps some of later ones.

CREATE TABLE eventstore_tagged (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	position INTEGER NOT NULL
) STRICT;
INSERT INTO eventstore_tagged SELECT 1, coalesce(max(position), 0) FROM eventstore_events;
