package signals

import (
	"context"
	"fmt"
	"unsafe"

	"example.com/signals/internal/engine"
)

// Chan registers a listener and returns a channel of its emissions, for a consumer
// that selects over several sources:
//
//	prices := ticks.Chan(ctx)
//	for {
//		select {
//		case price, ok := <-prices:
//			...
//		case <-refresh:
//			...
//		}
//	}
//
// The channel has no buffer: what is not received yet waits in the signal, in order
// and without bound, or as MaxLag bounds it. An emission is finished when its value
// has been received, so Drain and EmitWait wait for that, and Close does until its
// ctx ends. The next one is in hand meanwhile: it is no longer among those that
// MaxLag counts, and it is a drop if the listener is removed. The channel is closed
// when the registration has ended: when ctx ends or a context of Until, when the
// listener is removed by its key, Reset or its Scope, after the one emission of
// Once, and after Close when everything has been received.
//
// Whoever receives is not inside the listener, and knows nothing of the context.
// While nobody receives a goroutine waits, which is none of MaxWorkers; end ctx
// when you stop receiving. Around does not wrap Chan, Priority means nothing to it.
// A taken key, Concurrency, Cancellable and MaxBatch panic.
func (s *AsyncSignal[T]) Chan(ctx context.Context, opts ...ListenerOption) <-chan T {
	ctx = orBackground(ctx)
	ch, quit := make(chan T), make(chan struct{})
	send := func(payload T) bool {
		select {
		case ch <- payload:
			return true
		case <-quit:
		case <-ctx.Done(): // it is at once, what removes the listener comes later
		}
		return false
	}
	s.b.channel((*engine.Slot[T])(nil), ctx, engine.NewPump(unsafe.Pointer(&send), quit), unsafe.Pointer(&send), func() { close(ch) }, opts)
	return ch
}

// channel is Chan. send and end belong to the channel.
func (b *base) channel(ops any, ctx context.Context, p *engine.Pump, send unsafe.Pointer, end func(), opts []ListenerOption) { //nolint:revive // as drain
	r := b.enrollAsync(ops, "Chan", nil, send)
	r.pull = p
	e, c := r.entry(opts)
	e.fn = e.pcs.Func(e.fn) // whoever receives is no function: the one that has asked for the channel stands for it
	if c.concurrency > 1 {
		panic(fmt.Sprintf("signals: Chan on %q: a channel hands out one emission at a time; Concurrency(%d) makes no sense", e.st.Name(), c.concurrency))
	}
	c.needContext("Chan", e.st)
	r.h.Around, r.h.Once = nil, false // the pump sees to Once
	r.h.Until = append(r.h.Until, ctx)
	r.h.Sealed()

	// Not weakly, as Until does it elsewhere: whoever ranges over the channel waits for
	// its end, also if the signal has been dropped.
	var stops []func() bool
	for _, ctx := range r.h.Until {
		stops = append(stops, context.AfterFunc(ctx, func() { e.unsubscribe() }))
	}
	c.until = nil
	stop := func() {
		for _, stop := range stops {
			stop()
		}
	}
	p.For(e.readers[0], c.once, func() { stop(); e.unsubscribe() }, end)
	enlisted := false
	defer func() {
		if !enlisted { // also if the Growth policy panics
			stop()
		}
	}()
	_, sub, err := r.enlist(e, c)
	if sub == nil {
		panic(err.Error())
	}
	enlisted = true
	if err != nil { // a closed scope: it will never be called
		stop()
		end()
	}
}
