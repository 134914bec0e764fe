package engine

import (
	"context"
	"reflect"
	"unsafe"

	"example.com/signals/internal/listen"
)

// batch is what a reader of batches has: one claim at a time, whose emissions it
// hands over in one call. It belongs to the worker with the claim, but for max.
type batch struct {
	max      uint64        // read only: emissions in a claim
	next     uint64        // the emissions of the claim before it have been through the filter
	in       []uint64      // those that have passed
	failed   []turnedDown  // those whose filter has failed
	told     int           // so many of them have been reported
	settled  bool          // what has become of all is known: a Goexit is one of a failure handler's
	outcome  error         // for the EmitWaits of those in it
	payloads reflect.Value // a []T that is used again; empty between two calls
}

// turnedDown is an emission that did not get into a batch, by a failure.
type turnedDown struct {
	at    uint64
	err   error
	named error // for its EmitWait
}

// runBatch is drain for a reader of batches.
func (w *Worker) runBatch() {
	g, r, b, cl := w.g, w.r, w.r.batch, &w.cl
	b.next, b.in, b.failed, b.told, b.settled, b.outcome = cl.from, b.in[:0], b.failed[:0], 0, false, nil
	w.failure = nil
	if r.state.Add((cl.to-cl.from)*begunOne)&gone != 0 {
		return // who removed it has dropped them
	}
	for ; b.next < cl.to; b.next++ {
		_, ok, err := g.ops.Call(context.Background(), r.h, true, g.slot(cl.c, b.next))
		switch {
		case err != nil:
			b.failed = append(b.failed, turnedDown{b.next, err, r.l.Named(err)})
		case ok:
			b.in = append(b.in, b.next)
		}
		if r.gone() { // all of it is dropped; a failure is one all the same
			b.settled = true
			w.failedFilters()
			return
		}
	}
	dropped := len(b.in) > 0 && !w.callBatch()
	b.settled = true
	if !dropped {
		w.at = cl.to
	}
	defer w.failedFilters()
	if w.failure != nil {
		b.outcome = r.l.Named(w.failure)
		w.failedBatch(b.in, w.failure)
	}
}

// failedFilters reports the failures of the filter that have not been reported.
func (w *Worker) failedFilters() {
	b := w.r.batch
	if b.told == len(b.failed) {
		return
	}
	defer w.failedFilters() // the next one, also if the handler ends the goroutine
	f := b.failed[b.told]
	b.told++
	w.failedBatch([]uint64{f.at}, f.err)
}

// callBatch calls the listener with those that have passed, unless it reports
// that the listener has been removed.
func (w *Worker) callBatch() bool {
	g, r, b := w.g, w.r, w.r.batch
	call := listen.Call{Member: r.m, Handler: r.h, Timed: r.timing != nil}
	defer func() {
		if b.payloads.IsValid() {
			b.payloads.Clear()
		}
		if call.Called {
			w.calls += uint64(len(b.in))
		}
	}()
	run := func(ctx context.Context, h *listen.Handler, filter bool) (listen.Undo, bool, error) {
		if filter { // it has been asked
			return nil, !h.Ended(), nil
		}
		if !b.payloads.IsValid() || b.payloads.Len() < len(b.in) {
			b.payloads = g.ops.slice(max(len(b.in), int(min(b.max, uint64(w.cl.c.n)))))
		}
		g.gather(b.payloads, w.cl.c, b.in)
		return nil, false, callBatched(ctx, h, b.payloads.UnsafePointer(), len(b.in))
	}
	_, w.failure = call.Make(w.batchContext(b.in), run, func() listen.Runner { return run }, r.gone)
	return call.Called || w.failure != nil || !r.gone()
}

// callBatched calls the listener, a func(context.Context, []T) error. A slice is
// passed in the same way whatever its element type.
func callBatched(ctx context.Context, h *listen.Handler, payloads unsafe.Pointer, n int) (err error) {
	err = listen.Running
	defer h.Recover(&err)
	return (*(*func(context.Context, []struct{}) error)(unsafe.Pointer(&h.Batch)))(ctx, unsafe.Slice((*struct{})(payloads), n))
}

// batchContext is the context of a batch of those emissions: the values of that
// of the first one, and nobody's end.
func (w *Worker) batchContext(in []uint64) context.Context {
	return detached(contextOf(w.g.slot(w.cl.c, in[0])))
}

// failedBatch reports a failure with payloads of its own.
func (w *Worker) failedBatch(in []uint64, err error) {
	own := w.g.ops.slice(len(in))
	w.g.gather(own, w.cl.c, in)
	w.r.l.Failed(w.batchContext(in), own.Interface(), err)
}

// rescueBatch is rescue for a batch: all that the claim still has fails at once,
// unless it was the handler of a failure that ended the goroutine.
func (w *Worker) rescueBatch() {
	g, r, b, cl := w.g, w.r, w.r.batch, &w.cl
	defer func() { // also if the failure handler calls Goexit again
		g.mu.Lock()
		g.finish(r, cl.from, w.at, w.calls, nil)
		g.workers--
		next := g.hire()
		g.mu.Unlock()
		go next.start()
	}()
	if b.settled {
		return
	}
	w.at = cl.to
	defer w.failedFilters()
	for ; b.next < cl.to; b.next++ {
		b.in = append(b.in, b.next)
	}
	b.outcome = r.l.Named(listen.ErrGoexit)
	w.failedBatch(b.in, listen.ErrGoexit)
}

// gather copies the payloads of positions in c to the beginning of a []T.
func (g *Engine) gather(to reflect.Value, c *chunk, in []uint64) {
	for i, p := range in {
		to.Index(i).Set(g.ops.payload(g.slot(c, p)))
	}
}

// answerBatch tells the EmitWaits of the positions from a batch claim's first to
// before at what came of theirs.
func (g *Engine) answerBatch(r *Reader, cl *claim, at uint64) {
	b := r.batch
	in, failed := b.in, b.failed
	for p := cl.from; p < at; p++ {
		var outcome error
		if len(in) > 0 && in[0] == p {
			in, outcome = in[1:], b.outcome
		} else if len(failed) > 0 && failed[0].at == p {
			outcome, failed = failed[0].named, failed[1:]
		}
		if r.waiter(cl.c, p) != nil {
			g.answer(cl.c, p, outcome)
		}
	}
}

// slice returns a []T with n payloads.
func (t *payloadType) slice(n int) reflect.Value {
	return reflect.MakeSlice(reflect.SliceOf(t.of), n, n)
}

// payload returns the payload in a slot.
func (t *payloadType) payload(slot unsafe.Pointer) reflect.Value {
	return reflect.NewAt(t.of, unsafe.Add(slot, t.offset)).Elem()
}
