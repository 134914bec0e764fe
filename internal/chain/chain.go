// Package chain makes the emissions of sync signals: it calls the listeners of
// a list one after the other, in the goroutine that emits.
//
// The loops for listeners that need no more than a bare call, and for signals
// that count, are in typed.go; all else goes through the slower loops of
// emission.go, which serve options, observers, taps, steps, and SlowAfter.
package chain

import (
	"context"
	"sync/atomic"
	"time"

	"example.com/signals/internal/listen"
	"example.com/signals/internal/roster"
	"example.com/signals/internal/tally"
)

// Signal is what the emissions of one sync signal share. Its exported fields
// are set before the signal's first use, but for Taps.
type Signal struct {
	listen.Signal
	Emitted   *tally.Counter // emissions, or nil
	Delivered *tally.Counter // calls, or nil
	SlowAfter time.Duration  // or 0

	// Taps see every emission before the listeners do. The slice is replaced,
	// never written to.
	Taps atomic.Pointer[[]*Tap]

	watch watch // for SlowAfter
}

// Tap is called with each payload.
type Tap = func(ctx context.Context, payload any)

// ended counts what a counted loop has run when it ends early: k and at say
// where, and panicked that it was by a panic, whose call counts as well.
func (s *Signal) ended(l *roster.List, k, at int, panicked any, stripe uint64) {
	for _, b := range l.Blocks[:k] {
		at += len(b.Rows)
	}
	if panicked != nil {
		l.At(at).Delivered.At(stripe).Add(1)
		at++
	}
	s.Delivered.At(stripe).Add(uint64(at))
}
