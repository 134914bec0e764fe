package engine

import (
	"context"
	"unsafe"

	"example.com/signals/internal/inside"
	"example.com/signals/internal/listen"
	"example.com/signals/internal/tally"
)

// Puller is a consumer that claims for itself and needs no worker: a Loop or a
// Pump.
type Puller interface {
	// wake tells it that something has changed: there may be something to claim, or
	// its reader has been detached, or the engine closed. It is called with Engine.mu
	// held.
	wake()
}

// Pump hands the emissions of one reader to whoever receives from a channel. It
// has a goroutine of its own while there is something to hand over, and none while
// it is idle: what nobody receives takes no worker from the others. A listener that
// sends, on a worker, was rejected for that: with MaxWorkers(1) it would hold up
// all others for as long as nobody receives.
type Pump struct {
	r     *Reader        // read only once attached, as are the next six
	send  unsafe.Pointer // a func(T) bool of the payload type: whether it was received, rather than the end has come
	quit  chan struct{}  // closed when the reader has been detached
	once  bool           // one emission, and it is over
	leave func()         // detaches the reader
	end   func()         // called once, when it is over
	start func()         // the goroutine's body

	cl      claim // of the goroutine
	running bool  // there is a goroutine, or it is over: under Engine.mu
}

// NewPump makes a pump. send is the address of the function.
func NewPump(send unsafe.Pointer, quit chan struct{}) *Pump {
	return &Pump{send: *(*unsafe.Pointer)(send), quit: quit}
}

// For says what the pump is for: a reader that was made with it, and is to be
// attached. When no more will be handed over, leave, which must detach the reader, and
// then end are called on a goroutine of the pump's.
func (p *Pump) For(r *Reader, once bool, leave, end func()) {
	p.r, p.once, p.leave, p.end = r, once, leave, end
	id, run := r.g.id, p.run
	p.start = func() { inside.Mark(id, run) } // a Filter that waits must know that it is inside
}

func (p *Pump) wake() {
	if p.r.gone() {
		close(p.quit) // once: by Detach
	}
	if !p.running {
		p.running = true
		go p.start()
	}
}

// run is the goroutine: it hands over what there is.
func (p *Pump) run() {
	ended := false
	defer func() {
		if v := recover(); v != nil {
			panic(v) // a defect of this package: see Worker.work
		}
		if !ended { // a Filter or an observer has called Goexit
			go p.start()
		}
	}()
	over := false
	for more := true; more && !over; {
		if more, over = p.claim(); more {
			over = p.handOver()
		}
	}
	ended = true
	if over {
		defer p.end() // also if an observer that is told of it calls Goexit
		p.leave()
	}
}

// claim takes the next emission, if there is one.
func (p *Pump) claim() (more, over bool) {
	g, r := p.r.g, p.r
	g.mu.Lock()
	defer g.unlock()
	if !r.attached {
		return false, true
	}
	g.unlist(r)
	g.answered(r)
	if r.next == g.end {
		g.enlist(r)
		g.rest()
		p.running = g.closed
		return false, g.closed
	}
	g.claim(r, &p.cl)
	return true, false
}

// handOver waits until the claimed emission is received, or will not be: then it is
// a drop. It reports whether it was the last.
func (p *Pump) handOver() (over bool) {
	g, r, from := p.r.g, p.r, p.cl.from
	slot, ctx := g.slot(p.cl.c, from), context.Context(nil)
	at, calls, received, returned := from, uint64(0), false, false
	var failure, outcome error
	defer func() {
		g.mu.Lock()
		defer g.unlock()
		g.finish(r, from, at, calls, outcome)
	}()
	fail := func(err error) {
		at, failure, outcome = from+1, err, r.l.Named(err)
		r.l.Failed(ctx, g.ops.Box(slot), err)
	}
	defer func() {
		if !returned && failure == nil && !received {
			fail(listen.ErrGoexit)
		}
	}()
	r.begin()
	if r.gone() || r.h.Ended() {
		returned = true
		return true
	}
	ctx = r.contextOf(slot, from)
	call := listen.Call{Member: r.m, Handler: r.h, Timed: r.timing != nil && tally.Sampled(from)}
	_, err := call.Make(ctx, func(ctx context.Context, h *listen.Handler, filter bool) (listen.Undo, bool, error) {
		if filter {
			return g.ops.Call(ctx, h, true, slot)
		}
		if received = g.ops.Yield(&p.send, slot); !received {
			return nil, false, r.l.Lost()
		}
		at, calls = from+1, 1
		return nil, false, nil
	}, nil, r.gone)
	switch {
	case call.Called:
		over = !received || p.once
	case err != nil: // of a Filter
		fail(err)
	case r.gone() || r.h.Ended(): // while it ran
		over = true
	default:
		at = from + 1 // it is not for this one
	}
	returned = true
	if over { // first, so that what finds room now does not come here to be dropped
		p.leave()
	}
	return over
}
