package signals

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"example.com/signals/internal/engine"
	"example.com/signals/internal/inside"
)

// Bus holds signals by name: packages that know only the name and the payload
// type meet on it, and it observes, drains and closes its signals together.
// Signals of every kind can be on it: Topic makes async ones, SyncTopic sync
// ones, OnBus puts any signal on it. The zero value is ready; it must not be copied.
type Bus struct {
	defaults  []Option // read only
	mu        sync.Mutex
	members   list.List                // of member, in order of joining; under mu, as is the rest
	byName    map[string]*list.Element // the same
	byID      map[uint64]struct{}      // those of them that are async
	invented  map[string]int           // how many signals without a name were called so
	observing []*Observer
	tapping   []*tap
	closing   bool    // Close has been called
	closed    bool    // Close has found nothing left
	gaveUp    bool    // a Close has given up waiting
	observers *staged // made from observing
}

// member is a signal on a bus, of any kind and payload type.
type member struct {
	st   *settings
	b    *base
	self unsafe.Pointer // the signal: what st.kind and st.of say
}

// engines returns those of an async signal, or nil.
func (m member) engines() []*engine.Engine {
	if gs := m.st.engines.Load(); gs != nil {
		return *gs
	}
	return nil
}

func (m member) guard(on bool) {
	for _, g := range m.engines() {
		g.Guard(on)
	}
}

// NewBus makes a bus. defaults are options for every signal on it, which a
// signal's own options override; those that only async signals have are left
// out for sync ones.
func NewBus(defaults ...Option) *Bus {
	var c config
	c.apply(defaults)
	if c.name != "" || c.bus != nil {
		c.wrong("Name and OnBus make no sense as defaults of a bus")
	}
	if c.fault != "" {
		panic("signals: NewBus: " + c.fault)
	}
	return &Bus{defaults: slices.Clone(defaults)}
}

// join puts a signal on the bus. A taken name panics.
func (b *Bus) join(m member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.joinLocked(m)
}

func (b *Bus) joinLocked(m member) {
	st := m.st
	if st.name == "" {
		st.name = b.inventLocked(st)
	}
	if at := b.byName[st.name]; at != nil {
		st.onBus.Store(false)
		other := at.Value.(member).st
		panic(fmt.Sprintf("signals: the bus has %s %s signal of %s named %q already", article(string(other.kind)), other.kind, other.payload, st.name))
	}
	if b.closed && st.kind != KindSync { // sync signals go on working
		st.onBus.Store(false)
		for _, g := range m.engines() {
			g.Close()
		}
		return
	}
	st.gaveUp.Store(b.gaveUp)
	if b.closing {
		m.guard(true) // made by a listener that is being drained, perhaps
	}
	if b.byName == nil {
		b.byName = make(map[string]*list.Element)
		b.byID = make(map[uint64]struct{})
	}
	b.byName[st.name] = b.members.PushBack(m)
	if st.kind != KindSync {
		b.byID[st.id] = struct{}{}
	}
	st.watch(b.observers, len(b.tapping) > 0)
	for _, t := range b.tapping {
		t.join(m)
	}
}

// inventLocked names a signal that has no name by its payload type and where
// it was made.
func (b *Bus) inventLocked(st *settings) string {
	called := st.payload + "@" + st.origin.Site(0)
	if b.invented == nil {
		b.invented = make(map[string]int)
	}
	for {
		b.invented[called]++
		name := called
		if n := b.invented[called]; n > 1 {
			name = fmt.Sprintf("%s#%d", called, n)
		}
		if b.byName[name] == nil {
			return name
		}
	}
}

// left is told that a signal has been closed.
func (b *Bus) left(st *settings) { b.remove(st.name, st) }

// Remove takes the signal of that name off the bus and reports whether there
// was one. The signal goes on working, but the bus no longer finds, observes,
// drains or closes it, and the name is free.
func (b *Bus) Remove(name string) bool { return b.remove(name, nil) }

// remove takes the signal of that name off the bus, if it is the one that only
// means.
func (b *Bus) remove(name string, only *settings) bool {
	var untold []func()
	defer tellAll(&untold) // after unlocking
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.byName[name]
	if at == nil {
		return false
	}
	m := at.Value.(member)
	if only != nil && m.st != only {
		return false
	}
	m.st.onBus.Store(false)
	m.st.watch(nil, false)
	b.members.Remove(at)
	delete(b.byName, name)
	delete(b.byID, m.st.id)
	for _, t := range b.tapping {
		untold = append(untold, t.off(m))
	}
	if b.closing {
		m.guard(false) // it goes on without the bus
	}
	return true
}

// tellAll tells observers what could not be told under a lock.
func tellAll(untold *[]func()) {
	for _, tell := range *untold {
		tell()
	}
}

// snapshot returns the members in order of joining.
func (b *Bus) snapshot() []member {
	b.mu.Lock()
	defer b.mu.Unlock()
	ms := make([]member, 0, b.members.Len())
	for at := b.members.Front(); at != nil; at = at.Next() {
		ms = append(ms, at.Value.(member))
	}
	return ms
}

// async returns the members that can have pending emissions.
func (b *Bus) async() (ms []member) {
	for _, m := range b.snapshot() {
		if m.st.kind != KindSync {
			ms = append(ms, m)
		}
	}
	return ms
}

// Signals describes the signals on the bus, in order of joining.
func (b *Bus) Signals() []SignalInfo {
	var infos []SignalInfo
	for _, m := range b.snapshot() {
		infos = append(infos, *m.st.info())
	}
	return infos
}

// Stats returns what each signal on the bus has counted, in order of joining.
func (b *Bus) Stats() []SignalStats {
	var stats []SignalStats
	for _, m := range b.snapshot() {
		stats = append(stats, SignalStats{})
		m.b.stats(m.st, &stats[len(stats)-1])
	}
	return stats
}

// Observe attaches an observer to all signals of the bus, those that join
// later too, until stop is called. Several may be attached; they are called in
// that order, after those of the signal itself. An emission or delivery under
// way goes on with the observers that it began with.
func (b *Bus) Observe(o Observer) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &o
	b.observing = append(b.observing, p)
	b.publishLocked()
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.observing = slices.DeleteFunc(slices.Clone(b.observing), func(q *Observer) bool { return q == p })
		b.publishLocked()
	}
}

func (b *Bus) publishLocked() {
	observers := make([]Observer, len(b.observing))
	for i, o := range b.observing {
		observers[i] = *o
	}
	b.observers = newStaged(observers)
	b.watchLocked()
}

// watchLocked tells the signals who observes and taps them.
func (b *Bus) watchLocked() {
	for at := b.members.Front(); at != nil; at = at.Next() {
		at.Value.(member).st.watch(b.observers, len(b.tapping) > 0)
	}
}

// runs reports whether the calling goroutine is running a listener of an async
// signal of this bus.
func (b *Bus) runs() bool {
	for id := range inside.Running {
		b.mu.Lock()
		_, ours := b.byID[id]
		b.mu.Unlock()
		if ours {
			return true
		}
	}
	return false
}

// Drain returns when all signals of the bus were empty in one pass: whatever
// was accepted before, and what its listeners emitted, is finished. Or it
// returns an error that wraps ctx.Err and names what is left; inside a
// listener of one of the signals, ErrWouldDeadlock.
func (b *Bus) Drain(ctx context.Context) error { return b.drain(orBackground(ctx), "drain") }

func (b *Bus) drain(ctx context.Context, op string) error {
	if b.runs() {
		return &engine.OpError{Op: op + " of", Signal: "bus", Err: ErrWouldDeadlock}
	}
	for {
		// Nothing pending anywhere, and nothing accepted since the pass began:
		// then at its end nothing is pending, whatever the order of looking.
		ds := b.async()
		before := acceptedBy(ds)
		empty := true
		for _, d := range ds {
			if engine.Pending(d.engines()) == 0 {
				continue
			}
			empty = false
			if drain(d.engines(), ctx) != nil {
				break // ctx has ended
			}
		}
		if now := b.async(); empty && slices.Equal(ds, now) && acceptedBy(now) == before {
			return nil
		}
		if ctx.Err() != nil {
			if err := b.unfinished(op, ctx); err != nil {
				return err
			}
		}
	}
}

func acceptedBy(ms []member) (n uint64) {
	for _, m := range ms {
		n += engine.Accepted(m.engines())
	}
	return n
}

// unfinished is the error that names what is left, or nil if nothing was found,
// perhaps because it moved from signal to signal meanwhile.
func (b *Bus) unfinished(op string, ctx context.Context) error { //nolint:revive // ctx only for its error
	var left []string
	for _, d := range b.async() {
		if n := engine.Pending(d.engines()); n > 0 {
			left = append(left, fmt.Sprintf("%d of %q%s", n, d.st.Name(), engine.InTheWay(d.engines())))
		}
	}
	if left == nil {
		return nil
	}
	return fmt.Errorf("signals: %s of bus: %w; emissions left: %s", op, ctx.Err(), strings.Join(left, ", "))
}

// Close ends the work of the bus without losing any of it. From now on its
// async signals refuse emissions from outside, but still accept those that
// their own listeners make, until a pass finds nothing left; then all of them
// are closed and leave the bus. If ctx ends first, or the listeners emit in an
// endless cycle until it does, Close returns an error that wraps ctx.Err and
// names what is left, and may be called again. It may be called from several
// goroutines and more than once. Inside a listener of one of the signals it
// returns ErrWouldDeadlock and closes nothing. Sync signals go on working.
func (b *Bus) Close(ctx context.Context) error {
	if b.runs() {
		return &engine.OpError{Op: "close of", Signal: "bus", Err: ErrWouldDeadlock}
	}
	ctx = orBackground(ctx)
	b.mu.Lock()
	b.closing = true
	for at := b.members.Front(); at != nil; at = at.Next() {
		at.Value.(member).guard(true)
	}
	b.mu.Unlock()
	if err := b.drain(ctx, "close"); err != nil {
		b.giveUp()
		return err
	}
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	var errs []error
	for _, d := range b.async() {
		errs = append(errs, d.b.closeAll(d.engines(), ctx))
	}
	return errors.Join(errs...)
}

// giveUp tells the cancellable listeners that nobody waits for them any more.
func (b *Bus) giveUp() {
	b.mu.Lock()
	b.gaveUp = true
	b.mu.Unlock()
	for _, m := range b.async() {
		m.b.giveUp(m.st)
	}
}
