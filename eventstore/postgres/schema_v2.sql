-- Version 2: a checkpoint says of which history it is.

ALTER TABLE {s}.checkpoints
	ADD COLUMN identity text NOT NULL DEFAULT '', -- of the store; '': not known
	ADD COLUMN event_id text COLLATE "C" NOT NULL DEFAULT '', -- of the event at the position
	-- The position that they were written for: with another one they say nothing. A
	-- program of the last version, which may still be running, moves the position alone.
	ADD COLUMN marked bigint NOT NULL DEFAULT -1;
