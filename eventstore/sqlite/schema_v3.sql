-- Version 3: a checkpoint says of which history it is.

ALTER TABLE eventstore_checkpoints ADD COLUMN identity TEXT NOT NULL DEFAULT '';  -- of the store; '': not known
ALTER TABLE eventstore_checkpoints ADD COLUMN event_id TEXT NOT NULL DEFAULT '';  -- of the event at the position
-- The position that they were written for: with another one they say nothing. Who
-- moves a checkpoint without knowing of them, by hand, makes them unknown.
ALTER TABLE eventstore_checkpoints ADD COLUMN marked INTEGER NOT NULL DEFAULT -1;
