module example.com/signals/resilience

go 1.26.0

require (
	example.com/signals v0.0.0
	github.com/cenkalti/backoff/v7 v7.0.3
	github.com/sony/gobreaker/v2 v2.4.0
	golang.org/x/sync v0.24.0
	golang.org/x/time v0.16.0
)

replace example.com/signals => ../
