-- Version 3: each event has a checksum.

ALTER TABLE {s}.events ADD COLUMN sum integer; -- eventstore.Recorded.Checksum, as a signed number; NULL: stored by an older version
