-- Version 4: what is known of keys that are not their subject's any more.

CREATE TABLE {s}.old_keys (
	id      text COLLATE "C" PRIMARY KEY,
	subject text COLLATE "C", -- who has a newer key in subjects; NULL: it was forgotten
	key     bytea             -- NULL: it was forgotten
);
CREATE INDEX old_keys_subject ON {s}.old_keys (subject) WHERE subject IS NOT NULL;
