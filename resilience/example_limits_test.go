package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"example.com/signals"
	"example.com/signals/resilience"
)

// Calls that come too fast wait for their turn; the emitter does not.
func ExampleLimit() {
	ctx := context.Background()
	post := func(_ context.Context, n int) error { fmt.Println("posted", n); return nil }
	// region limit
	api := rate.NewLimiter(rate.Every(10*time.Millisecond), 1) // shared by who calls this API
	posts := signals.New[int]()
	posts.Subscribe(resilience.Limit(post, api))
	// endregion
	begun := time.Now()
	for n := range 3 {
		posts.Emit(ctx, n)
	}
	_ = posts.Close(ctx)
	fmt.Println("spaced out:", time.Since(begun) >= 20*time.Millisecond)

	// Output:
	// posted 0
	// posted 1
	// posted 2
	// spaced out: true
}

// Without a wait, what comes too fast is refused.
func ExampleMaxWait() {
	ctx := context.Background()
	post := func(_ context.Context, n int) error { fmt.Println("posted", n); return nil }
	// region maxwait
	limited := resilience.Limit(post, rate.NewLimiter(rate.Every(time.Hour), 1), resilience.MaxWait(0))
	// endregion
	_ = limited(ctx, 1)
	fmt.Println(errors.Is(limited(ctx, 2), resilience.ErrRateLimited))

	// Output:
	// posted 1
	// true
}

// Two listeners, each free to run 8 calls at once, together never hold more
// than 2 connections.
func ExampleBulkhead() {
	ctx := context.Background()
	var now, most atomic.Int32
	store := func(context.Context, int) error {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return nil
	}
	// region bulkhead
	connections := semaphore.NewWeighted(2)
	orders, invoices := signals.New[int](), signals.New[int]()
	orders.Subscribe(resilience.Bulkhead(store, connections), signals.Concurrency(8))
	invoices.Subscribe(resilience.Bulkhead(store, connections), signals.Concurrency(8))
	// endregion
	for n := range 100 {
		orders.Emit(ctx, n)
		invoices.Emit(ctx, n)
	}
	_ = orders.Close(ctx)
	_ = invoices.Close(ctx)
	fmt.Println("at most 2:", most.Load() <= 2)

	// Output:
	// at most 2: true
}

// Each call has a deadline of its own, also where the emission has none.
func ExampleTimeout() {
	ctx := context.Background()
	// region timeout
	lookup := func(ctx context.Context, host string) error {
		select { // any call that takes a context does this
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Hour):
			return nil
		}
	}
	hosts := signals.New[string](signals.OnFailure(
		func(_ context.Context, f signals.Failure) { fmt.Println(f.Payload, f.Err) }))
	hosts.Subscribe(resilience.Timeout(lookup, 5*time.Millisecond))
	// endregion
	hosts.Emit(ctx, "example.com")
	_ = hosts.Close(ctx)

	// Output:
	// example.com resilience: timed out after 5ms: context deadline exceeded
}

// A message that is delivered twice is handled once.
func ExampleDedup() {
	ctx := context.Background()
	type payment struct {
		ID    string
		Cents int
	}
	book := func(_ context.Context, p payment) error { fmt.Println("booked", p.ID, p.Cents); return nil }
	// region dedup
	payments := signals.NewSync[payment]()
	payments.Subscribe(resilience.Dedup(book,
		func(p payment) string { return p.ID },
		10_000,                        // ids remembered
		resilience.TTL(24*time.Hour))) // and for how long
	// endregion
	for _, p := range []payment{{"p1", 500}, {"p2", 700}, {"p1", 500}} {
		payments.Emit(ctx, p)
	}

	// Output:
	// booked p1 500
	// booked p2 700
}
