// Package resilience guards listeners and signals of package signals against
// what fails, is slow, or comes too fast.
//
// Around one listener stand functions from listener to listener. They compose,
// the outermost written first, and the payload type is inferred:
//
//		gateway := resilience.NewCircuit(resilience.CircuitName("gateway"))
//		guarded := resilience.DeadLetter(
//			resilience.Retry(
//				resilience.Breaker(
//					resilience.Timeout(charge, 2*time.Second),
//					gateway),
//				resilience.MaxAttempts(5)),
//			undeliverable)
//		orders.Subscribe(guarded, signals.Key("payment"))
//
//	  - [Retry] calls again after an error, with exponential backoff and jitter,
//	    until it succeeds, has used its attempts, its context ends, or the error
//	    is [Permanent].
//	  - [Breaker] stops calling what keeps failing, for as long as a [Circuit] is
//	    open.
//	  - [Limit] spaces calls out by a rate.Limiter, [Bulkhead] bounds how many run
//	    at once by a semaphore, [Timeout] gives each call a deadline.
//	  - [Dedup] calls once for each key.
//	  - [DeadLetter] hands what finally failed to another signal.
//
// A listener of batches goes into each of them as it is; [RetryBatch] and
// [DeadLetterBatch] know that a part of a batch may have failed.
//
// Give a wrapped listener a signals.Key: the function that the signal sees is
// the wrapper's.
//
// Around a whole signal stand [RateLimited] and [CircuitBreaker]. Both are a
// signals.Signal themselves. An Emit that they refuse is a Failure without a
// listener, reported where the signal's other failures go; TryEmit and Offer
// return the error.
//
// # Failures count
//
// A listener fails by an error, by a panic, or by runtime.Goexit, and each counts.
// A panic is never swallowed or turned into an error here: it passes
// through every wrapper with its stack, so that the signal reports it as a
// *signals.PanicError. On its way a circuit counts it as a failure, Dedup
// forgets the key, Bulkhead gives its place back, and DeadLetter hands it on;
// Retry does not retry it. A wrapper that refuses a call returns an error, which
// the signal counts as a failure of the listener. No method of an error is
// called unguarded: one that panics is a failure like any other. What counts as
// a failure to a circuit, and what does not, is at [Breaker].
//
// # Contexts
//
// Every wait ends when the context of the call ends, and the error says so.
// An AsyncSignal hands its listeners contexts that never end, so there the bounds
// are [MaxAttempts], [MaxElapsedTime], [MaxWait] and [Timeout]: a Close that has given up
// waiting does not interrupt a retry. Waiting occupies the listener, not the
// others: its later emissions keep their order and wait. No wrapper starts a
// goroutine, so none is ever left behind; a listener that ignores its context
// outlasts its Timeout, and the call returns when the listener does.
//
// # Libraries
//
// The state machine of a circuit is github.com/sony/gobreaker/v2 (v2.4.0), the
// backoff is github.com/cenkalti/backoff/v7 (v7.0.3), chosen over
// github.com/failsafe-go/failsafe-go (v0.9.8), which has both and more:
//
//   - failsafe-go does not see panics: one in the trial call of a half-open breaker
//     keeps its permit, and the breaker refuses for ever. The two-step form of
//     gobreaker lets us end the call whatever happens in it.
//   - A call through its executor that succeeds costs about a microsecond and
//     15 allocations, with a retry policy or with a breaker; here 0.01 and none,
//     and 0.3 and one.
//   - It is a framework of 10,000 lines, before version 1, whose go.mod requires grpc,
//     protobuf and tdigest. gobreaker and backoff have 1,600 lines together,
//     are stable, and need the standard library only. All three are maintained.
//
// Of backoff version 7 rather than 5, because 5 forgets the last error when the
// context ends, and may call once more after it has ended. Rates are
// golang.org/x/time/rate and semaphores golang.org/x/sync/semaphore, which make
// limits that listeners share.
package resilience
