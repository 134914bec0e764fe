package signals

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"example.com/signals/internal/engine"
	"example.com/signals/internal/listen"
	"example.com/signals/internal/roster"
)

// base is what all signals share: the list of listeners, which every emission
// reads with one atomic load, and its only writer. It knows no payload type.
// The fields fill one 64-byte cache line, the hot one first; a test holds them
// there.
type base struct {
	list atomic.Pointer[roster.List] // read by every emission; written under mu; nil until first use
	conf atomic.Pointer[settings]    // name, handlers, counters; set once, under mu
	mu   sync.Mutex                  // serialises writers; never held while user code runs
	keys map[string]*entry           // listeners by key; under mu
	seq  uint64                      // registrations so far; under mu
	_    [24]byte                    // to a whole cache line
}

// settle makes the settings of a signal if it has none yet, and returns them.
func (b *base) settle(kind Kind, ops engine.Payload) *settings {
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
	for n := b.list.Load().Full(); n >= room; n = b.list.Load().Full() {
		b.mu.Unlock() // the Growth policy is user code
		room = e.st.grow(n)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if e.ended {
		return b.Len(), e.scopeClosed()
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
	if attach != nil {
		attach()
	}
	old := b.list.Load()
	if old == nil {
		old = roster.New(e.st.slow(), e.st.counts())
	}
	b.seq++
	e.Seq = b.seq
	next := old.Add(roster.Row{Member: &e.Member, Handler: h}, plain, fails, h != nil, room)
	b.list.Store(next)
	return next.Len(), nil
}

// remove takes e out of the list, if it is still there, and reports whether
// it was. detach, if not nil, is called under mu after that.
func (b *base) remove(e *entry, detach func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.ended = true
	old := b.list.Load()
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
	old := b.list.Load()
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

// RemoveListener removes the listener with that key. It returns the number of
// listeners left, or -1 for an unknown or empty key.
func (b *base) RemoveListener(key string) int {
	b.mu.Lock()
	e := b.keys[key]
	b.mu.Unlock()
	if e == nil || !e.unsubscribe() { // somebody else may have removed it meanwhile
		return -1
	}
	return b.Len()
}

// Reset removes all listeners. Those that are added while it runs may stay.
func (b *base) Reset() {
	leave(b.removeAll(func(*entry) bool { return true }))
}

// Len returns the number of listeners.
func (b *base) Len() int { return b.list.Load().Len() }

// IsEmpty reports whether there are no listeners.
func (b *base) IsEmpty() bool { return b.Len() == 0 }

// Keys returns the keys of the listeners that have one, in calling order.
func (b *base) Keys() []string {
	keys := []string{}
	for r := range b.list.Load().All {
		if r.Key != "" {
			keys = append(keys, r.Key)
		}
	}
	return keys
}

// HasKey reports whether a listener has that key.
func (b *base) HasKey(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys[key] != nil
}

func (b *base) settings() *settings { return b.conf.Load() }
