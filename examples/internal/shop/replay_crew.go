package shop

import (
	"context"
	"fmt"
	"sync"
)

// crew places the invoices of a replay: several at once, if there is something
// to wait for at each.
type crew struct {
	replay *Replay
	jobs   chan *Invoice // nil: the reader of the file does it
	all    sync.WaitGroup

	mu   sync.Mutex
	done Replayed // guarded by mu
}

func newCrew(r *Replay) *crew {
	c := &crew{replay: r}
	if r.AtOnce > 1 {
		c.jobs = make(chan *Invoice)
		for range r.AtOnce {
			c.all.Go(func() {
				for v := range c.jobs {
					c.do(v)
				}
			})
		}
	}
	return c
}

// place has the invoice placed, or returns false when ctx has ended first.
func (c *crew) place(ctx context.Context, v *Invoice) bool {
	if c.jobs == nil {
		c.do(v)
		return true
	}
	select {
	case c.jobs <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

// do runs the chain for one invoice. Once begun it is finished, Ctrl-C or not:
// half an invoice would be a loss.
func (c *crew) do(v *Invoice) {
	var err error
	if v.Cancels() {
		_, err = c.replay.Shop.PlaceCancellation(context.Background(), v.Cancellation())
	} else {
		_, err = c.replay.Shop.Place(context.Background(), v.Order())
	}
	c.count(func(d *Replayed) {
		if err != nil {
			d.Refused++
			fmt.Fprintf(c.replay.Errors, "shop: invoice %s was refused: %v\n", printable(v.No, 40), err)
		}
		d.Lines += len(v.Lines)
	})
}

// count lets f see and change what was done.
func (c *crew) count(f func(*Replayed)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.done)
}

// leave waits until everything that was begun is done, and returns what it was.
func (c *crew) leave() Replayed {
	if c.jobs != nil {
		close(c.jobs)
	}
	c.all.Wait()
	return c.done
}
