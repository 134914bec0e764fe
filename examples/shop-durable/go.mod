module example.com/signals/examples/shop-durable

go 1.26.0

require (
	example.com/signals v0.0.0
	example.com/signals/eventstore/sqlite v0.0.0
	example.com/signals/examples v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	example.com/signals/resilience v0.0.0 // indirect
	github.com/HdrHistogram/hdrhistogram-go v1.1.2 // indirect
	github.com/cenkalti/backoff/v7 v7.0.3 // indirect
	github.com/ncruces/go-sqlite3 v0.36.0 // indirect
	github.com/ncruces/go-sqlite3-wasm/v6 v6.4.35401 // indirect
	github.com/ncruces/julianday v1.0.0 // indirect
	github.com/shopspring/decimal v1.6.0 // indirect
	github.com/sony/gobreaker/v2 v2.4.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/term v0.47.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace (
	example.com/signals => ../../
	example.com/signals/eventstore/sqlite => ../../eventstore/sqlite
	example.com/signals/eventstore/storetest/heavy => ../../eventstore/storetest/heavy
	example.com/signals/examples => ../
	example.com/signals/faultfs => ../../faultfs
	example.com/signals/promsignals => ../../promsignals
	example.com/signals/resilience => ../../resilience
)
