module example.com/signals/eventstore/sqlite

go 1.26.0

require (
	example.com/signals v0.0.0
	example.com/signals/eventstore/storetest/heavy v0.0.0
	example.com/signals/faultfs v0.0.0
	github.com/ncruces/go-sqlite3 v0.36.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	github.com/hanwen/go-fuse/v2 v2.12.1 // indirect
	github.com/ncruces/go-sqlite3-wasm/v6 v6.4.35401 // indirect
	github.com/ncruces/julianday v1.0.0 // indirect
	pgregory.net/rapid v1.3.0 // indirect
)

replace (
	example.com/signals => ../../
	example.com/signals/eventstore/storetest/heavy => ../storetest/heavy
	example.com/signals/faultfs => ../../faultfs
)
