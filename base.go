package signals

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"example.com/signals/internal/engine"
	"example.com/signals/internal/listen"
	"example.com/signals/internal/roster"
)

// base is what all signals share: the list of listeners, which every emission
// reads with one atomic load, and its only writer. It knows no payload type. What
// the façade calls off the hot paths is not inlined: it would be compiled again for
// each payload type.
//
// The fields fill one 64-byte cache line, the hot one first; a test holds them
// there.
type base struct {
	list atomic.Pointer[roster.List] // read by every emission; written under mu; nil until first use
	conf atomic.Pointer[settings]    // name, handlers, counters; set once, under mu
	mu   sync.Mutex                  // serialises writers; never held while user code runs
	keys map[string]*entry           // listeners by key; under mu
	seq  uint64                      // registrations so far; under mu

	// spent are Once listeners of a sync signal that have been removed and that
	// the list still has: one emission to many of them would copy it for each.
	// Whoever wants the list takes them out first, see current. Written under mu;
	// nil if there are none.
	spent atomic.Pointer[[]*listen.Member]

	late atomic.Pointer[late] // who came with ObserveListeners, or nil; written under mu
	_    [8]byte              // to a whole cache line
}

// current returns the list without those that have been spent.
func (b *base) current() *roster.List {
	if b.spent.Load() != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.tidy()
	}
	return b.list.Load()
}

// tidy takes those that have been spent out of the list, and returns it. It must
// be called with mu held.
func (b *base) tidy() *roster.List {
	l := b.list.Load()
	spent := b.spent.Load()
	if spent == nil {
		return l
	}
	if len(*spent) <= 4 {
		for _, m := range *spent {
			l = l.Remove(m)
		}
	} else {
		l = l.RemoveAll(func(m *listen.Member) bool { return entryOf(m).ended })
	}
	b.list.Store(l)
	b.spent.Store(nil) // behind the list: who sees nil sees that one
	return l
}

// spend removes e, a Once listener of a sync signal, and reports whether it was
// there. It stays in the list until somebody wants that, or the emission that
// called e ends, or there are too many of them.
func (b *base) spend(e *entry) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.ended {
		return false
	}
	e.ended = true
	b.forgetKey(e)
	spent := b.spent.Load()
	if spent == nil {
		spent = new([]*listen.Member)
		b.spent.Store(spent)
	}
	*spent = append(*spent, &e.Member)
	if n := len(*spent); n >= 64 && n >= b.list.Load().Len()/4 {
		b.tidy()
	}
	return true
}

// settle makes the settings of a signal if it has none yet, and returns them.
//
//go:noinline
func (b *base) settle(kind Kind, ops any) *settings {
	if st := b.conf.Load(); st != nil {
		return st
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if st := b.conf.Load(); st != nil {
		return st
	}
	st := newSettings(kind, ops, nil)
	b.conf.Store(st)
	return st
}

// init gives a signal its settings before its first use.
func (b *base) init(st *settings) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.conf.Load(); old != nil || b.list.Load() != nil {
		name := st.payload
		if old != nil {
			name = old.Name()
		}
		panic(fmt.Sprintf("signals: Init of %q after its first use; call Init once, before anything else", name))
	}
	b.conf.Store(st)
	b.list.Store(roster.New(st.slow(), st.counts()))
}

// open gives a sync signal its settings before its first use, and puts it on
// its bus. self is the signal.
func (b *base) open(ops any, opts []Option, self unsafe.Pointer) {
	st := newSettings(KindSync, ops, opts).made()
	b.init(st)
	if st.bus != nil {
		st.bus.join(member{st, b, self})
	}
}

// openAsync is open for an async signal, which gets its engines as well. If there
// is to be one, first, which is not nil then, gets it.
//
//go:noinline
func (b *base) openAsync(kind Kind, ops any, opts []Option, shards int, self unsafe.Pointer, first *atomic.Pointer[engine.Engine]) {
	st := newSettings(kind, ops, opts).made()
	gs := b.equip(st, ops, shards)
	if first != nil {
		first.Store(gs[0])
	}
	if st.bus != nil {
		st.bus.join(member{st, b, self})
	}
}

// equip is openAsync for a signal that does not join its bus yet.
func (b *base) equip(st *settings, ops any, shards int) []*engine.Engine {
	b.init(st)
	return st.equip(ops, shards)
}

// engines returns the engines of an async signal; it makes those of a zero one.
//
//go:noinline
func (b *base) engines(ops any) []*engine.Engine {
	st := b.conf.Load()
	if st == nil {
		b.touch()
		st = b.settle(KindAsync, ops)
	}
	if gs := st.engines.Load(); gs != nil {
		return *gs
	}
	return st.equip(ops, 1)
}

// touch marks a signal as used, for Init.
func (b *base) touch() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.list.Load() == nil {
		b.list.Store(roster.New(false, false))
	}
}

// add puts e into the list and returns the number of listeners. plain and
// fails are the bare functions of a listener of a sync signal. attach, if not
// nil, is called under mu when it is certain that e is added.
func (b *base) add(e *entry, h *listen.Handler, plain, fails unsafe.Pointer, attach func()) (int, error) {
	b.mu.Lock()
	room := 0 // for so many listeners there will be room
	for n := b.tidy().Full(); n >= room; n = b.tidy().Full() {
		b.mu.Unlock() // the Growth policy is user code
		room = e.st.grow(n)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if e.ended {
		return b.list.Load().Len(), e.scopeClosed()
	}
	if e.Key != "" {
		if b.keys[e.Key] != nil {
			return -1, &engine.OpError{Op: fmt.Sprintf("key %q on", e.Key), Signal: e.st.Name(), Err: ErrKeyTaken}
		}
		if b.keys == nil {
			b.keys = make(map[string]*entry)
		}
		b.keys[e.Key] = e
	}
	e.st.sited(&e.pcs)
	b.seq++
	e.Seq = b.seq
	e.began = true
	if attach != nil {
		attach() // from here on it may be called
	}
	old := b.list.Load() // tidy, as it was above
	if old == nil {
		old = roster.New(e.st.slow(), e.st.counts())
	}
	next := old.Add(roster.Row{Member: &e.Member, Handler: h}, plain, fails, h != nil, room)
	b.list.Store(next)
	return next.Len(), nil
}

// remove takes e out of the list, if it is still there, and reports whether
// it was. detach, if not nil, is called under mu after that.
func (b *base) remove(e *entry, detach func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.tidy() // before ended: that is how it knows the spent
	e.ended = true
	if old == nil {
		return false
	}
	next := old.Remove(&e.Member)
	if next == nil {
		return false
	}
	b.forgetKey(e)
	b.list.Store(next)
	if detach != nil {
		detach()
	}
	return true
}

// forgetKey must be called with mu held.
func (b *base) forgetKey(e *entry) {
	if e.Key != "" {
		delete(b.keys, e.Key)
	}
}

// removeAll takes many entries out of the list, those that are still there, and
// returns them with what must be told of each.
func (b *base) removeAll(which func(*entry) bool) (removed []*entry, tell []engine.Tell) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.tidy()
	if old.Len() == 0 {
		return nil, nil
	}
	next := old.RemoveAll(func(m *listen.Member) bool {
		e := entryOf(m)
		if !which(e) {
			return false
		}
		removed = append(removed, e)
		return true
	})
	b.list.Store(next)
	for _, e := range removed {
		e.ended = true
		b.forgetKey(e)
		tell = append(tell, e.detach()...)
	}
	return removed, tell
}

// signal is what every signal can do without knowing its payload type. The base
// is a field with a name, so that its methods are not those of all signals:
// each method would cost every payload type some time to compile.
type signal struct {
	b base
}

// Refused reports an emission that did not reach the signal, as Refuse does, but
// for its emitter, who gets err: it is counted and observers are told of it, and
// no failure handler is. It is for wrappers whose TryEmit, Offer or EmitWait
// turns an emission away. On a signal that was never used it does nothing.
func (s *signal) Refused(ctx context.Context, payload any, err error) {
	st := s.b.conf.Load()
	if st == nil {
		return
	}
	st.refused.Add(1)
	st.all.Load().failure(orBackground(ctx), st, Failure{Signal: st.Name(), Payload: payload, Err: err})
}

// RemoveListener removes the listener with that key. It returns the number of
// listeners left, or -1 for an unknown or empty key.
func (s *signal) RemoveListener(key string) int {
	b := &s.b
	b.mu.Lock()
	e := b.keys[key]
	b.mu.Unlock()
	if e == nil || !e.unsubscribe() { // somebody else may have removed it meanwhile
		return -1
	}
	return s.Len()
}

// Reset removes all listeners. Those that are added while it runs may stay.
func (s *signal) Reset() {
	leave(s.b.removeAll(func(*entry) bool { return true }))
}

// Len returns the number of listeners.
//
//go:noinline
func (s *signal) Len() int { return s.b.current().Len() }

// IsEmpty reports whether there are no listeners.
//
//go:noinline
func (s *signal) IsEmpty() bool { return s.Len() == 0 }

// Keys returns the keys of the listeners that have one, in calling order.
func (s *signal) Keys() []string {
	keys := []string{}
	for r := range s.b.current().All {
		if r.Key != "" {
			keys = append(keys, r.Key)
		}
	}
	return keys
}

// HasKey reports whether a listener has that key.
func (s *signal) HasKey(key string) bool {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return s.b.keys[key] != nil
}
