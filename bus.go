package signals

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"example.com/signals/internal/engine"
	"example.com/signals/internal/inside"
)

// Bus holds signals by name: packages that know only the name and the payload
// type meet on it, and it observes, drains and closes its signals together.
// Signals of every kind can be on it: Topic makes async ones, OnBus puts any
// signal on it. The zero value is ready; it must not be copied.
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
	observers *staged // made from observing
}

// member is a signal of any kind and payload type.
type member interface {
	settings() *settings
	Stats() SignalStats
	tap(t *tap) tapped
}

// drainer is a member that has pending emissions.
type drainer interface {
	member
	Drain(ctx context.Context) error
	Close(ctx context.Context) error
	Pending() int
	accepted() uint64
	guard(on bool)
	shut()
}

// join puts a signal on its bus, if it has one.
func join(m member, st *settings) {
	if st.bus == nil {
		return
	}
	st.bus.mu.Lock()
	defer st.bus.mu.Unlock()
	st.bus.joinLocked(m)
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

// Topic returns the async signal of that name, which it makes if there is
// none; opts are for making it. It panics if the name belongs to a signal of
// another payload type or kind. On a closed bus the signal is closed.
func Topic[T any](b *Bus, name string, opts ...Option) *AsyncSignal[T] {
	if b == nil {
		panic(fmt.Sprintf("signals: Topic %q: the bus is nil", name))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.findLocked(name); m != nil {
		s, ok := m.(*AsyncSignal[T])
		if !ok {
			panic(notATopic(name, typeName(engine.Typed[T]{}), m.settings()))
		}
		return s
	}
	s := new(AsyncSignal[T])
	s.open(KindAsync, engine.Typed[T]{}, append(slices.Clone(opts), Name(name), OnBus(b)), 1)
	b.joinLocked(s)
	return s
}

func notATopic(name, payload string, st *settings) string {
	return fmt.Sprintf("signals: Topic %q wants an async signal of %s; the bus has %s %s signal of %s by that name", name, payload, article(string(st.kind)), st.kind, st.payload)
}

// Lookup returns the signal of that name, of whatever kind, if there is one
// with that payload type.
func Lookup[T any](b *Bus, name string) (Signal[T], bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.findLocked(name).(Signal[T])
	return s, ok
}

func (b *Bus) findLocked(name string) member {
	if at := b.byName[name]; at != nil {
		return at.Value.(member)
	}
	return nil
}

// joinLocked puts a signal on the bus. A taken name panics.
func (b *Bus) joinLocked(m member) {
	st := m.settings()
	if st.name == "" {
		st.name = b.inventLocked(st)
	}
	if other := b.findLocked(st.name); other != nil {
		st.onBus.Store(false)
		kind := other.settings().kind
		panic(fmt.Sprintf("signals: the bus has %s %s signal of %s named %q already", article(string(kind)), kind, other.settings().payload, st.name))
	}
	d, _ := m.(drainer)
	if b.closed {
		st.onBus.Store(false)
		if d != nil {
			d.shut()
		}
		return
	}
	if b.closing && d != nil {
		d.guard(true) // made by a listener that is being drained, perhaps
	}
	if b.byName == nil {
		b.byName = make(map[string]*list.Element)
		b.byID = make(map[uint64]struct{})
	}
	b.byName[st.name] = b.members.PushBack(m)
	if d != nil {
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
		if b.findLocked(name) == nil {
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
	st := m.settings()
	if only != nil && st != only {
		return false
	}
	st.onBus.Store(false)
	st.watch(nil, false)
	b.members.Remove(at)
	delete(b.byName, name)
	delete(b.byID, st.id)
	for _, t := range b.tapping {
		untold = append(untold, t.off(m))
	}
	if d, ok := m.(drainer); ok && b.closing {
		d.guard(false) // it goes on without the bus
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
func (b *Bus) async() (ds []drainer) {
	for _, m := range b.snapshot() {
		if d, ok := m.(drainer); ok {
			ds = append(ds, d)
		}
	}
	return ds
}

// Signals describes the signals on the bus, in order of joining.
func (b *Bus) Signals() []SignalInfo {
	var infos []SignalInfo
	for _, m := range b.snapshot() {
		infos = append(infos, *m.settings().info())
	}
	return infos
}

// Stats returns what each signal on the bus has counted, in order of joining.
func (b *Bus) Stats() []SignalStats {
	var stats []SignalStats
	for _, m := range b.snapshot() {
		stats = append(stats, m.Stats())
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
		at.Value.(member).settings().watch(b.observers, len(b.tapping) > 0)
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
			if d.Pending() == 0 {
				continue
			}
			empty = false
			if d.Drain(ctx) != nil {
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

func acceptedBy(ds []drainer) (n uint64) {
	for _, d := range ds {
		n += d.accepted()
	}
	return n
}

// unfinished is the error that names what is left, or nil if nothing was found,
// perhaps because it moved from signal to signal meanwhile.
func (b *Bus) unfinished(op string, ctx context.Context) error { //nolint:revive // ctx only for its error
	var left []string
	for _, d := range b.async() {
		if n := d.Pending(); n > 0 {
			left = append(left, fmt.Sprintf("%d of %q", n, d.settings().info().Name))
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
		if d, ok := at.Value.(drainer); ok {
			d.guard(true)
		}
	}
	b.mu.Unlock()
	if err := b.drain(ctx, "close"); err != nil {
		return err
	}
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	var errs []error
	for _, d := range b.async() {
		errs = append(errs, d.Close(ctx))
	}
	return errors.Join(errs...)
}
