package signals

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"
)

// watch arms Until, once the entry is in the list. A context that lives long
// must not keep the signal alive: what it holds of the entry is weak.
func (e *entry) watch(until []context.Context) {
	for _, ctx := range until {
		weakly := weak.Make(e)
		stop := context.AfterFunc(ctx, func() {
			if e := weakly.Value(); e != nil {
				e.unsubscribe()
			}
		})
		e.untilMu.Lock()
		gone := e.gone
		if !gone {
			e.stops = append(e.stops, stop)
			runtime.AddCleanup(e, func(stop func() bool) { stop() }, stop)
		}
		e.untilMu.Unlock()
		if gone {
			stop()
		}
	}
}

// announce tells the observers that the listener has been added; if it has been
// removed meanwhile, that as well.
func (e *entry) announce() {
	all := e.st.all.Load()
	if len(all.at[registering]) > 0 {
		all.added(e.st, e.info())
	}
	if late := e.b.late.Load(); late != nil {
		late.told.added(e.st, e.info())
	}
	e.untilMu.Lock()
	e.announced = true
	gone := e.gone
	e.untilMu.Unlock()
	if gone {
		e.sayRemoved()
	}
}

// unwatch disarms Until, ends a sync registration, and tells the observers that the listener has been
// removed, unless announce has yet to tell them that it was added.
func (e *entry) unwatch() {
	e.untilMu.Lock()
	e.gone = true
	stops := e.stops
	e.stops = nil
	announced := e.announced
	if e.over != nil && e.st.kind == KindSync {
		e.over.close()
	}
	e.untilMu.Unlock()
	for _, stop := range stops {
		stop()
	}
	if !e.used.Load() { // Once has removed it for the call that is to come
		e.cancel(errRemoved)
	}
	if announced {
		e.sayRemoved()
	}
}

func (e *entry) sayRemoved() {
	if all := e.st.all.Load(); len(all.at[registering]) > 0 {
		all.removed(e.st, e.info())
	}
	if late := e.b.late.Load(); late != nil {
		late.told.removed(e.st, e.info())
	}
}

// done returns the channel that is closed when the registration has ended. An
// async one has ended when its readers have, a sync one when it is removed.
func (e *entry) done() <-chan struct{} {
	e.b.mu.Lock()
	began := e.began
	e.b.mu.Unlock()
	e.untilMu.Lock()
	defer e.untilMu.Unlock()
	if e.over != nil {
		return e.over.c
	}
	over := &finale{c: make(chan struct{})}
	e.over = over
	switch {
	case e.st.kind != KindSync:
		e.afterEnd(over.close)
	case e.gone || !began:
		over.close()
	}
	// With a signal that was dropped the registration ends as well: no context of Until
	// reaches it any more, and who waits has nothing but the channel.
	runtime.AddCleanup(e, (*finale).close, over)
	return over.c
}

// finale is the channel of Done.
type finale struct {
	c    chan struct{}
	once sync.Once
}

func (f *finale) close() { f.once.Do(func() { close(f.c) }) }

// afterEnd calls f when the readers have ended, perhaps at once.
func (e *entry) afterEnd(f func()) {
	var left atomic.Int64
	left.Store(int64(len(e.readers)))
	for _, r := range e.readers {
		r.AfterEnd(func() {
			if left.Add(-1) == 0 {
				f()
			}
		})
	}
}
