module example.com/signals/examples/shop-cluster

go 1.26.0

require (
	example.com/signals v0.0.0
	example.com/signals/eventstore/sqlite v0.0.0
	example.com/signals/examples v0.0.0
	example.com/signals/natsignals v0.0.0
	example.com/signals/natsignals/embedded v0.0.0
	github.com/nats-io/nats-server/v2 v2.15.2
	github.com/nats-io/nats.go v1.55.0
	go.uber.org/goleak v1.3.0
)

require (
	example.com/signals/resilience v0.0.0 // indirect
	github.com/HdrHistogram/hdrhistogram-go v1.1.2 // indirect
	github.com/antithesishq/antithesis-sdk-go v0.8.0-default-no-op // indirect
	github.com/cenkalti/backoff/v7 v7.0.3 // indirect
	github.com/google/go-tpm v0.9.8 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/minio/highwayhash v1.0.4 // indirect
	github.com/nats-io/jwt/v2 v2.8.2 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/ncruces/go-sqlite3 v0.36.0 // indirect
	github.com/ncruces/go-sqlite3-wasm/v6 v6.4.35401 // indirect
	github.com/ncruces/julianday v1.0.0 // indirect
	github.com/shopspring/decimal v1.6.0 // indirect
	github.com/sony/gobreaker/v2 v2.4.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
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
	example.com/signals/natsignals => ../../natsignals
	example.com/signals/natsignals/embedded => ../../natsignals/embedded
	example.com/signals/promsignals => ../../promsignals
	example.com/signals/resilience => ../../resilience
)
