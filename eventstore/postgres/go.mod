module example.com/signals/eventstore/postgres

go 1.26.0

require (
	example.com/signals v0.0.0
	example.com/signals/eventstore/storetest/heavy v0.0.0
	example.com/signals/faultfs v0.0.0
	github.com/jackc/pgx/v5 v5.12.0
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	github.com/hanwen/go-fuse/v2 v2.12.1 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.41.0 // indirect
	pgregory.net/rapid v1.3.0 // indirect
)

replace (
	example.com/signals => ../../
	example.com/signals/eventstore/storetest/heavy => ../storetest/heavy
	example.com/signals/faultfs => ../../faultfs
)
