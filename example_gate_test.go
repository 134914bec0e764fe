package signals_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"example.com/signals"
)

// region gate

// A Checkout runs a sync chain and, when it has succeeded, an async fan-out.
type Checkout struct {
	placed   signals.SyncSignal[int]
	accepted signals.AsyncSignal[int]

	mu     sync.Mutex
	closed bool           // under mu
	inside sync.WaitGroup // of calls of Place; Add only under mu, while not closed
}

// Place refuses orders once Close has begun.
func (c *Checkout) Place(ctx context.Context, order int) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return errors.New("closed")
	}
	c.inside.Add(1)
	c.mu.Unlock()
	defer c.inside.Done()

	if err := c.placed.TryEmit(ctx, order); err != nil {
		return err
	}
	c.accepted.Emit(ctx, order)
	return nil
}

// Close loses no order: the gate first, then the signal behind it.
func (c *Checkout) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.inside.Wait()
	return c.accepted.Close(ctx)
}

// endregion

// A sync signal has nothing to drain, so a chain needs a gate at shutdown: an
// order between its chain and its fan-out would be refused by the latter.
func Example_gate() {
	ctx := context.Background()
	var c Checkout
	c.accepted.AddListener(func(_ context.Context, order int) { fmt.Println("shipped", order) })
	fmt.Println(c.Place(ctx, 1))
	fmt.Println(c.Close(ctx))
	fmt.Println(c.Place(ctx, 2))

	// Unordered output:
	// shipped 1
	// <nil>
	// <nil>
	// closed
}
