package signals

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// baseSignal is what all signals share: the list of listeners, which every
// emission reads with one atomic load, and its only writer. The fields fill
// one 64-byte cache line, the hot one first; a test holds them there.
//
// The list is copy-on-write: a reader takes a snapshot and keeps it for the
// whole emission, so it needs no lock, and a listener that is added or removed
// meanwhile disturbs nobody. A listener added at the end is appended in place
// behind the published length, where no reader looks, so that adding n
// listeners copies O(n) in all. Everything else copies.
type baseSignal[T any] struct {
	list atomic.Pointer[snapshot[T]] // read by every emission; written under mu; nil until first use
	conf atomic.Pointer[settings]    // name, handlers, counters; set once, under mu
	mu   sync.Mutex                  // serialises writers; never held while user code runs
	keys map[string]*entry[T]        // listeners by key; under mu
	_    [32]byte                    // to a whole cache line
}

// snapshot is one version of the list. Nothing within its length is written
// after it was published.
type snapshot[T any] struct {
	// The loops of SyncSignal run over bare functions: Emit's over plain,
	// TryEmit's over fails. Both are nil at i if row i has options, and both
	// are empty on async signals. Entries of several words instead cost a loop
	// up to a fifth.
	plain []func(context.Context, T)
	fails []func(context.Context, T) error
	rows  []row[T]
	only  func(context.Context, T) // plain[0] if it is all there is to do
	// slow sends emissions through the loop that also serves options and
	// observers, counts through the one that counts.
	slow, counts bool
	fast         bool // neither
}

// publish makes l the list. It must be called with b.mu held.
func (b *baseSignal[T]) publish(l snapshot[T]) {
	l.fast, l.only = !l.slow && !l.counts, nil
	if len(l.plain) == 1 && l.fast {
		l.only = l.plain[0]
	}
	b.list.Store(&l)
}

// row is one listener in a snapshot.
type row[T any] struct {
	*entry[T]
	h *handler[T] // nil on async signals, whose readers hold it
}

// handler is the function of one listener with the options that decide about
// its calls. It does not change.
type handler[T any] struct {
	plain func(context.Context, T) // exactly one of plain, fails, step is set
	fails func(context.Context, T) error
	step  func(context.Context, T) (Undo, error)

	filters []func(T) bool
	until   []context.Context
	once    bool
}

// special reports whether the handler needs more than a bare call.
func (h *handler[T]) special() bool {
	return h.step != nil || len(h.filters) > 0 || len(h.until) > 0 || h.once
}

// call runs the function; a panic becomes an error.
func (h *handler[T]) call(ctx context.Context, payload T) (undo Undo, err error) {
	defer recoverTo(&err)
	switch {
	case h.plain != nil:
		h.plain(ctx, payload)
	case h.fails != nil:
		err = h.fails(ctx, payload)
	default:
		undo, err = h.step(ctx, payload)
	}
	return undo, err
}

// wants reports whether the options let payload through. A panic in a filter
// is an error.
func (h *handler[T]) wants(payload T) (ok bool, err error) {
	defer recoverTo(&err)
	if h.ended() {
		return false, nil
	}
	for _, pass := range h.filters {
		if !pass(payload) {
			return false, nil
		}
	}
	return !h.ended(), nil // perhaps while a filter ran
}

// ended reports whether a context of Until has.
func (h *handler[T]) ended() bool {
	for _, ctx := range h.until {
		if ctx.Err() != nil {
			return true
		}
	}
	return false
}

// settle makes the settings of a signal if it has none yet, and returns them.
func (b *baseSignal[T]) settle(kind Kind) *settings {
	if st := b.conf.Load(); st != nil {
		return st
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if st := b.conf.Load(); st != nil {
		return st
	}
	st := newSettings(kind, payloadOf[T](), nil)
	b.conf.Store(st)
	return st
}

// init gives a signal its settings before its first use.
func (b *baseSignal[T]) init(st *settings) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conf.Load() != nil || b.list.Load() != nil {
		panic(fmt.Sprintf("signals: Init of %q after its first use; call Init once, before anything else", b.nameLocked()))
	}
	b.conf.Store(st)
	b.publish(snapshot[T]{slow: st.slow(), counts: st.counts()})
}

func (b *baseSignal[T]) nameLocked() string {
	if st := b.conf.Load(); st != nil {
		return st.info().Name
	}
	return typeName[T]()
}

// touch marks a signal as used, for Init.
func (b *baseSignal[T]) touch() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.list.Load() == nil {
		b.publish(snapshot[T]{})
	}
}

// add puts e into the list and returns the number of listeners. attach, if
// not nil, is called under mu when it is certain that e is added.
func (b *baseSignal[T]) add(e *entry[T], h *handler[T], attach func()) (int, error) {
	b.mu.Lock()
	room := 0 // for so many listeners there will be room
	for n := b.full(); n >= room; n = b.full() {
		b.mu.Unlock() // the Growth policy is user code
		room = e.st.grow(n)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if e.ended {
		return b.Len(), e.scopeClosed()
	}
	if e.key != "" {
		if b.keys[e.key] != nil {
			return -1, &opError{fmt.Sprintf("key %q on", e.key), e.st.info().Name, ErrKeyTaken}
		}
		if b.keys == nil {
			b.keys = make(map[string]*entry[T])
		}
		b.keys[e.key] = e
	}
	e.st.sited(e.pcs[:])
	if attach != nil {
		attach()
	}
	old := b.list.Load()
	if old == nil {
		old = &snapshot[T]{slow: e.st.slow(), counts: e.st.counts()}
	}
	next := *old
	next.slow = old.slow || h != nil && h.special()
	r := row[T]{e, h}
	at := len(old.rows)
	for at > 0 && old.rows[at-1].priority < e.priority {
		at--
	}
	if at == len(old.rows) && at < cap(old.rows) {
		next.rows = append(old.rows, r)
		if h != nil {
			next.plain, next.fails = append(old.plain, r.bare()), append(old.fails, r.bareErr())
		}
	} else {
		next.allot(max(cap(old.rows), room), h != nil)
		next.extend(old, 0, at)
		next.put(r)
		next.extend(old, at, len(old.rows))
	}
	b.publish(next)
	return len(next.rows), nil
}

// full returns the length of the list if there is no room behind it, else -1.
func (b *baseSignal[T]) full() int {
	rows := b.rows()
	if len(rows) < cap(rows) {
		return -1
	}
	return len(rows)
}

// bare returns the function that Emit calls for this listener, or nil if it
// needs more than a bare call.
func (r row[T]) bare() func(context.Context, T) {
	switch fails := r.h.fails; {
	case r.h.special():
		return nil
	case fails != nil:
		e := r.entry
		return func(ctx context.Context, payload T) {
			if err := fails(ctx, payload); err != nil {
				e.report(ctx, payload, err)
			}
		}
	}
	return r.h.plain
}

// bareErr returns the function that TryEmit calls for this listener, or nil if
// it needs more than a bare call.
func (r row[T]) bareErr() func(context.Context, T) error {
	switch plain := r.h.plain; {
	case r.h.special():
		return nil
	case plain != nil:
		return func(ctx context.Context, payload T) error {
			plain(ctx, payload)
			return nil
		}
	}
	return r.h.fails
}

// allot gives s empty slices with room for n listeners.
func (s *snapshot[T]) allot(n int, sync bool) {
	s.plain, s.fails = nil, nil
	s.rows = make([]row[T], 0, n)
	if sync {
		s.plain = make([]func(context.Context, T), 0, n)
		s.fails = make([]func(context.Context, T) error, 0, n)
	}
}

//go:noinline
func (s *snapshot[T]) extend(from *snapshot[T], lo, hi int) {
	s.rows = append(s.rows, from.rows[lo:hi]...)
	if s.plain != nil {
		s.plain = append(s.plain, from.plain[lo:hi]...)
		s.fails = append(s.fails, from.fails[lo:hi]...)
	}
}

//go:noinline
func (s *snapshot[T]) put(r row[T]) {
	s.rows = append(s.rows, r)
	if r.h != nil {
		s.plain = append(s.plain, r.bare())
		s.fails = append(s.fails, r.bareErr())
	}
}

// remove takes e out of the list, if it is still there, and reports whether
// it was. detach, if not nil, is called under mu after that.
func (b *baseSignal[T]) remove(e *entry[T], detach func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.ended = true
	return b.removeLocked(e, detach)
}

func (b *baseSignal[T]) removeLocked(e *entry[T], detach func()) bool {
	old := b.list.Load()
	if old == nil {
		return false
	}
	at := slices.IndexFunc(old.rows, func(r row[T]) bool { return r.entry == e })
	if at < 0 {
		return false
	}
	if e.key != "" {
		delete(b.keys, e.key)
	}
	// A copy even at the end: the arrays must not keep the removed closure.
	next := snapshot[T]{slow: e.st.slow(), counts: e.st.counts()}
	if n := len(old.rows) - 1; n > 0 {
		next.allot(n, old.plain != nil)
		next.extend(old, 0, at)
		next.extend(old, at+1, len(old.rows))
		for _, r := range next.rows {
			next.slow = next.slow || r.h != nil && r.h.special()
		}
	}
	b.publish(next)
	if detach != nil {
		detach()
	}
	return true
}

// RemoveListener removes the listener with that key. It returns the number of
// listeners left, or -1 for an unknown or empty key.
func (b *baseSignal[T]) RemoveListener(key string) int {
	b.mu.Lock()
	e := b.keys[key]
	b.mu.Unlock()
	if e == nil || !e.unsubscribe() { // somebody else may have removed it meanwhile
		return -1
	}
	return b.Len()
}

// Reset removes all listeners. Those that are added while it runs may stay.
func (b *baseSignal[T]) Reset() {
	rows, untold := b.removeAll()
	for i, r := range rows {
		r.left(untold[i])
	}
}

// removeAll empties the list, and returns what was in it and what observers
// must be told of each.
func (b *baseSignal[T]) removeAll() (rows []row[T], untold [][]dropNote) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows = b.rows()
	if len(rows) == 0 {
		return nil, nil
	}
	st := rows[0].st
	b.keys = nil
	b.publish(snapshot[T]{slow: st.slow(), counts: st.counts()})
	for _, r := range rows {
		r.ended = true
		untold = append(untold, r.detach())
	}
	return rows, untold
}

func (b *baseSignal[T]) rows() []row[T] {
	if l := b.list.Load(); l != nil {
		return l.rows
	}
	return nil
}

// Len returns the number of listeners.
func (b *baseSignal[T]) Len() int { return len(b.rows()) }

// IsEmpty reports whether there are no listeners.
func (b *baseSignal[T]) IsEmpty() bool { return b.Len() == 0 }

// Keys returns the keys of the listeners that have one, in calling order.
func (b *baseSignal[T]) Keys() []string {
	keys := []string{}
	for _, r := range b.rows() {
		if r.key != "" {
			keys = append(keys, r.key)
		}
	}
	return keys
}

// HasKey reports whether a listener has that key.
func (b *baseSignal[T]) HasKey(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys[key] != nil
}
