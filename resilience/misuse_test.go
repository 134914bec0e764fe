package resilience_test

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"example.com/signals"
	"example.com/signals/resilience"
)

// misuses are calls that panic, by what the panic says.
var misuses = map[string]func(){
	"Retry: the listener is nil":           func() { resilience.Retry[int](nil) },
	"MaxAttempts(0)":                       func() { resilience.MaxAttempts(0) },
	"Backoff(1s, 1ms)":                     func() { resilience.Backoff(time.Second, time.Millisecond) },
	"Jitter(2)":                            func() { resilience.Jitter(2) },
	"MaxElapsedTime(0s)":                   func() { resilience.MaxElapsedTime(0) },
	"RetryIf(nil)":                         func() { resilience.RetryIf(nil) },
	"OnRetry(nil)":                         func() { resilience.OnRetry(nil) },
	"DeadLetter: the listener is nil":      func() { resilience.DeadLetter(nil, signals.New[resilience.Letter[int]]()) },
	"DeadLetter: the signal is nil":        func() { resilience.DeadLetter(succeeds, nil) },
	"Timeout: the listener is nil":         func() { resilience.Timeout[int](nil, 1) },
	"Timeout(0s)":                          func() { resilience.Timeout(succeeds, 0) },
	"Limit: the listener is nil":           func() { resilience.Limit[int](nil, rate.NewLimiter(1, 1)) },
	"Limit: the limiter is nil":            func() { resilience.Limit(succeeds, nil) },
	"MaxWait(-1ns)":                        func() { resilience.MaxWait(-1) },
	"Bulkhead: the listener is nil":        func() { resilience.Bulkhead[int](nil, semaphore.NewWeighted(1)) },
	"Bulkhead: the semaphore is nil":       func() { resilience.Bulkhead(succeeds, nil) },
	"Dedup: the listener is nil":           func() { resilience.Dedup(nil, itself, 1) },
	"Dedup: the key function is nil":       func() { resilience.Dedup[int, int](succeeds, nil, 1) },
	"Dedup(0)":                             func() { resilience.Dedup(succeeds, itself, 0) },
	"TTL(0s)":                              func() { resilience.TTL(0) },
	"RetryBatch: the listener is nil":      func() { resilience.RetryBatch[int](nil) },
	"DeadLetterBatch: the listener is nil": func() { resilience.DeadLetterBatch(nil, signals.New[resilience.Letter[int]]()) },
	"DeadLetterBatch: the signal is nil": func() {
		resilience.DeadLetterBatch(func(context.Context, []int) error { return nil }, nil)
	},
	"NewCircuitBreaker: the function that makes the signal did not use its options": func() {
		resilience.NewCircuitBreaker(func(...signals.Option) *signals.SyncSignal[int] { return signals.NewSync[int]() }, resilience.NewCircuit())
	},
	"Breaker: the listener is nil":          func() { resilience.Breaker[int](nil, resilience.NewCircuit()) },
	"Breaker: the circuit is nil":           func() { resilience.Breaker(succeeds, nil) },
	"FailureThreshold(0)":                   func() { resilience.FailureThreshold(0) },
	"FailureRate(2)":                        func() { resilience.FailureRate(2, time.Second, 1) },
	"FailureRate over 0s":                   func() { resilience.FailureRate(1, 0, 1) },
	"FailureRate of 0 calls":                func() { resilience.FailureRate(1, time.Second, 0) },
	"OpenFor(0s)":                           func() { resilience.OpenFor(0) },
	"HalfOpenCalls(0)":                      func() { resilience.HalfOpenCalls(0) },
	"FailureIf(nil)":                        func() { resilience.FailureIf(nil) },
	"StateChangesTo(nil)":                   func() { resilience.StateChangesTo(nil) },
	"NewRateLimited: the signal is nil":     func() { resilience.NewRateLimited[int](nil, rate.NewLimiter(1, 1)) },
	"NewRateLimited: the limiter is nil":    func() { resilience.NewRateLimited(signals.New[int](), nil) },
	"NewCircuitBreaker: the circuit is nil": func() { resilience.NewCircuitBreaker(signals.New[int], nil) },
	"NewCircuitBreaker: the function that makes": func() {
		resilience.NewCircuitBreaker[int, *signals.AsyncSignal[int]](nil, resilience.NewCircuit())
	},
}
