package shop

import (
	"context"
	"fmt"
	"sync"

	"example.com/signals/examples/internal/english"
)

// door counts who is inside, and once closed lets nobody in. The zero value is
// open.
type door struct {
	mu     sync.Mutex
	shut   bool          // guarded by mu
	inside int           // guarded by mu
	empty  chan struct{} // made by close, closed when nobody is inside anymore; guarded by mu
}

// enter returns ErrClosed if the door is closed. Else leave must follow.
func (d *door) enter() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return ErrClosed
	}
	d.inside++
	return nil
}

func (d *door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inside--; d.inside == 0 && d.shut {
		close(d.empty)
	}
}

// close waits until everybody has left or ctx ends. It may be called again.
func (d *door) close(ctx context.Context) error {
	d.mu.Lock()
	if !d.shut {
		d.shut, d.empty = true, make(chan struct{})
		if d.inside == 0 {
			close(d.empty)
		}
	}
	empty := d.empty
	d.mu.Unlock()
	select {
	case <-empty:
		return nil
	default:
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		d.mu.Lock()
		defer d.mu.Unlock()
		return fmt.Errorf("%s still under way: %w", english.Plural(d.inside, "order"), ctx.Err())
	}
}
