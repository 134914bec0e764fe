package signals

import (
	"context"
	"fmt"
	"iter"
	"unsafe"

	"example.com/signals/internal/engine"
	"example.com/signals/internal/listen"
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
	ctx = orBackground(ctx)
	return func(yield func(T) bool) {
		s.enroll("Events", &listen.Handler{Fails: listen.Pack(yield)}).loop(ctx, engine.Yielding(yield), opts)
	}
}

// loop is one range over Events.
func (r *registration) loop(ctx context.Context, yield func(unsafe.Pointer) bool, opts []ListenerOption) {
	r.pull = make(chan struct{}, 1)
	e, c := r.entry(opts)
	if c.concurrency > 1 {
		panic(fmt.Sprintf("signals: Events on %q: a loop runs one body at a time; Concurrency(%d) makes no sense", e.st.Name(), c.concurrency))
	}
	_, sub, err := r.enlist(e, c)
	if sub == nil {
		panic(err.Error())
	}
	defer sub.Unsubscribe()
	engine.NewLoop(e.readers[0], yield).Run(ctx)
}
