package signals

import (
	"context"
	"fmt"
	"iter"
	"unsafe"

	"example.com/signals/internal/engine"
)

// Events returns the emissions of the signal as a sequence:
//
//	for order := range orders.Events(ctx) {
//		...
//	}
//
// Each range registers a listener of its own when it starts, and removes it
// when it ends: on break, when ctx ends, when the listener is removed by its
// key or Reset, or after Close, when it has delivered everything. An emission
// is finished when the body of the loop returns; the body runs on the
// goroutine that ranges, and counts as running a listener. Emissions wait
// without bound unless MaxLag is given. A taken key, or Concurrency, panics
// when the range starts. With Once the loop runs once.
func (s *AsyncSignal[T]) Events(ctx context.Context, opts ...ListenerOption) iter.Seq[T] {
	seq := s.b.events((*engine.Slot[T])(nil), ctx, opts)
	return *(*iter.Seq[T])(unsafe.Pointer(&seq))
}

// events returns an iter.Seq of the payload type: its argument, a function, is the
// one word that a pointer is, and is passed in the same way.
//
//go:noinline
func (b *base) events(ops any, ctx context.Context, opts []ListenerOption) func(yield unsafe.Pointer) { //nolint:revive // the payload type is the receiver's part
	r := &ranged{b, ops, ctx, opts}
	return func(yield unsafe.Pointer) { r.loop(&yield) }
}

// ranged is what ranges over one call of Events have in common.
type ranged struct {
	b    *base
	ops  any
	ctx  context.Context
	opts []ListenerOption
}

// loop is one range. yield is its body, a func(T) bool of the payload type.
func (rg *ranged) loop(yield *unsafe.Pointer) {
	r := rg.b.enrollAsync(rg.ops, "Events", nil, unsafe.Pointer(yield))
	loop := engine.NewLoop(yield)
	r.pull = loop
	e, c := r.entry(rg.opts)
	if c.concurrency > 1 {
		panic(fmt.Sprintf("signals: Events on %q: a loop runs one body at a time; Concurrency(%d) makes no sense", e.st.Name(), c.concurrency))
	}
	c.needContext("Events", e.st)
	_, sub, err := r.enlist(e, c)
	if sub == nil {
		panic(err.Error())
	}
	defer sub.Unsubscribe()
	loop.Run(orBackground(rg.ctx), e.readers[0])
}
