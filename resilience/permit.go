package resilience

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals"
)

// permit is an emission that a circuit has let through. It is the context of
// the emission, in which the observer finds it again.
//
// On a sync signal an emission is one call: done is told when it ends. On an
// async one each call of a listener counts, and counts for the state in which
// the emission began. While the circuit is half-open the emission is a trial,
// one call again: a failure decides it at once, and it has succeeded when all
// who got it have. Which listeners get it (Filter, Once, drops) only the signal
// knows, so that a trial can be over without a word; reclaim finds those.
type permit struct {
	context.Context
	of         *watch
	at         time.Time
	generation uint64
	trial      bool
	begun      atomic.Bool // the emission has met the observer
	ended      atomic.Bool // done has been told, or never will be

	mu        sync.Mutex // taken above a breaker's lock
	done      func(error)
	kind      signals.Kind // from EmitBegin on
	accepted  bool         // a trial, by the signal, which is async
	listeners int          // of the signal at that time
	successes int          // of listeners
}

type permitKey struct{}

func (p *permit) Value(key any) any {
	if _, ok := key.(permitKey); ok {
		return p
	}
	return p.Context.Value(key)
}

// permitIn returns the permit of w's emission that ctx belongs to, or nil.
func (w *watch) permitIn(ctx context.Context) *permit {
	if p, ok := ctx.Value(permitKey{}).(*permit); ok && p.of == w {
		return p
	}
	return nil
}

// permit makes one of what allow gave.
func (w *watch) permit(ctx context.Context, done func(error)) *permit {
	c := w.circuit
	p := &permit{Context: ctx, of: w, done: done, generation: c.generation.Load()}
	if c.trying.Load() {
		p.trial, p.at = true, time.Now()
		c.mu.Lock()
		c.trials = append(slices.DeleteFunc(c.trials, func(p *permit) bool { return p.ended.Load() }), p)
		c.mu.Unlock()
	}
	return p
}

// end tells the circuit what the emission came to, unless it has been told.
func (p *permit) end(v verdict) {
	p.mu.Lock()
	p.endLocked(v)
	p.mu.Unlock()
	p.of.circuit.tell()
}

func (p *permit) endLocked(v verdict) {
	if p.ended.Swap(true) || p.done == nil {
		return
	}
	p.of.circuit.tally.verdicts[v].Add(1)
	p.done(v.err())
}

// begin notes the signal's kind.
func (p *permit) begin(kind signals.Kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kind = kind
}

// sync reports whether the signal is a sync one.
func (p *permit) sync() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kind == signals.KindSync
}

// call notes what the call of a listener came to.
func (p *permit) call(v verdict) {
	p.mu.Lock()
	if v == success {
		p.successes++
	}
	switch {
	case p.kind == signals.KindSync: // the emission counts, when it ends
	case !p.trial:
		p.mu.Unlock()
		p.of.circuit.count(p.generation, v)
		return
	case v == failure:
		p.endLocked(failure)
	default:
		p.overLocked()
	}
	p.mu.Unlock()
	p.of.circuit.tell()
}

// accept notes that an async signal has accepted the emission.
func (p *permit) accept() {
	if !p.trial {
		return // each call tells for itself
	}
	p.mu.Lock()
	p.accepted, p.listeners = true, p.of.len()
	p.overLocked()
	p.mu.Unlock()
	p.of.circuit.tell()
}

// overLocked ends a trial of an async signal in which all listeners have succeeded.
func (p *permit) overLocked() {
	if p.accepted && p.successes > 0 && p.successes >= p.listeners {
		p.endLocked(success)
	}
}

// reclaim ends trials that are over without having said so, or have taken as
// long as the circuit stays open, and reports whether there were any.
func (c *Circuit) reclaim() (any bool) {
	c.mu.Lock()
	trials := slices.Clone(c.trials)
	c.mu.Unlock()
	for _, p := range trials {
		p.mu.Lock()
		if !p.ended.Load() && (p.accepted && p.of.idle() || time.Since(p.at) >= c.openFor) {
			v := ignored
			if p.successes > 0 {
				v = success
			}
			p.endLocked(v)
			any = true
		}
		p.mu.Unlock()
	}
	return any
}

// count counts a call of a listener, if its emission began in the state that
// the circuit is still in. It counts for the time of the call, not of the
// emission, which may be longer ago than the window of FailureRate.
func (c *Circuit) count(generation uint64, v verdict) {
	if generation == bypassed {
		return
	}
	c.tally.verdicts[v].Add(1)
	r := c.regime.Load()
	if v == ignored || r.forced != "" || c.generation.Load() != generation {
		return
	}
	done, err := r.breaker.Allow()
	if err != nil {
		return
	}
	if c.generation.Load() != generation {
		v = ignored // it has become another state meanwhile; give its place back
	}
	done(v.err())
	c.tell()
}

// bypassed is the generation of emissions that the circuit did not let through.
const bypassed = math.MaxUint64
