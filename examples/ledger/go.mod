module example.com/signals/examples/ledger

go 1.26.0

require (
	example.com/signals v0.0.0
	example.com/signals/eventstore/postgres v0.0.0
	example.com/signals/eventstore/sqlite v0.0.0
	github.com/jackc/pgx/v5 v5.12.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/ncruces/go-sqlite3 v0.36.0 // indirect
	github.com/ncruces/go-sqlite3-wasm/v6 v6.4.35401 // indirect
	github.com/ncruces/julianday v1.0.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace (
	example.com/signals => ../../
	example.com/signals/eventstore/postgres => ../../eventstore/postgres
	example.com/signals/eventstore/sqlite => ../../eventstore/sqlite
	example.com/signals/eventstore/storetest/heavy => ../../eventstore/storetest/heavy
	example.com/signals/faultfs => ../../faultfs
)
