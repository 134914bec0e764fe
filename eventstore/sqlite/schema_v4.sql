-- Version 4: each event has a checksum.

ALTER TABLE eventstore_events ADD COLUMN sum INTEGER; -- eventstore.Recorded.Checksum; NULL: stored by an older version
