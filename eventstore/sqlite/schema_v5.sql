-- Version 5: what is known of keys that are not their subject's any more.

CREATE TABLE eventstore_old_keys (
	id      TEXT PRIMARY KEY,
	subject TEXT, -- who has a newer key in eventstore_subjects; NULL: it was forgotten
	key     BLOB  -- NULL: it was forgotten
) STRICT, WITHOUT ROWID;
CREATE INDEX eventstore_old_keys_subject ON eventstore_old_keys (subject) WHERE subject IS NOT NULL;
