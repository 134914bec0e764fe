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

	// Watched is set while somebody observes or taps emissions or deliveries,
	// ObservedCalls while somebody observes deliveries.
	Watched, ObservedCalls atomic.Bool

	// Taps see every emission before the listeners do. The slice is replaced,
	// never written to.
	Taps atomic.Pointer[[]*Tap]

	watch watch // for SlowAfter
}

// Tap is called with each payload.
type Tap = func(ctx context.Context, payload any)

// Rest is what is left of an emission in which a listener panicked: the one at
// an index of block K.
type Rest struct {
	K, At    int
	Panicked any // nil if it was a Goexit
}

// goOn reports the panic, and calls the listeners behind it. A Goexit, which is
// no panic, passes through. s is needed if they are counted.
func (s *Signal) goOn(l *roster.List, ctx context.Context, rest *Rest, p payloadOf) { //nolint:revive // l is the receiver's part
	if rest.Panicked == nil || listen.Skipped(rest.Panicked) {
		return
	}
	k, at := rest.K, rest.At
	of := l.Blocks[k].Rows[at].Of
	of.Failed(ctx, p.box(), of.Panicked(rest.Panicked))
	for ; k < len(l.Blocks); k++ {
		for at++; at < len(l.Blocks[k].Rows); at++ {
			r := l.Blocks[k].Rows[at]
			_, _, err := p(ctx, r.Handler, called)
			skip := err != nil && r.Of.Skips(err)
			if err != nil && !skip {
				r.Of.Failed(ctx, p.box(), err)
			}
			if l.Counts {
				r.Delivered.Add(1)
				s.Delivered.Add(1)
			}
			if skip {
				return
			}
		}
		at = -1
	}
}

// CountTo counts what a counted loop has run when it ends early: k and at say
// where, and panicked that it was by a panic, whose call counts as well.
func (s *Signal) CountTo(l *roster.List, k, at int, panicked any, stripe uint64) {
	for _, b := range l.Blocks[:k] {
		at += len(b.Rows)
	}
	if panicked != nil {
		l.At(at).Delivered.At(stripe).Add(1)
		at++
	}
	s.Delivered.At(stripe).Add(uint64(at))
}
