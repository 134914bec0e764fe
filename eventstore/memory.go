package eventstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Memory returns a backend that keeps everything in memory, for tests and for
// what needs not survive the process. It does what the durable ones do, but for
// transactions of the user's own.
func Memory() Backend {
	return &memory{
		identity: newID(),
		ids:      map[string]Position{},
		byStream: map[string][]Position{},
		byType:   map[string][]Position{},
		byTag:    map[string][]Position{},
		watchers: map[int]func(Notice){},

		checkpoints: map[string]*memoryCheckpoint{},
		leases:      map[string]*memoryLease{},
		snapshots:   map[memorySnapshot]Snapshot{},
		subjects:    map[string]string{},
		keys:        map[string]memoryKey{},
	}
}

// memory is one lock around one slice, with an index for each thing that a
// query can name. No call holds the lock for long, so no context is looked at
// while waiting for it.
type memory struct {
	mu       sync.RWMutex
	identity string     // under mu, as all that follows
	events   []Recorded // the event at position p is events[p-1]; elements are never written again
	sums     []uint32   // of events
	ids      map[string]Position
	byStream map[string][]Position // ascending, as the next two; version n is at [n-1]
	byType   map[string][]Position
	byTag    map[string][]Position

	checkpoints map[string]*memoryCheckpoint // by key
	leases      map[string]*memoryLease      // that are held, by key
	snapshots   map[memorySnapshot]Snapshot
	subjects    map[string]string    // id of the key of a subject
	keys        map[string]memoryKey // by id

	watching sync.Mutex
	watchers map[int]func(Notice) // under watching
	watcher  int                  // number of the last one; under watching
}

func (m *memory) Identity(context.Context) (string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.identity, nil
}

func (m *memory) Head(context.Context) (Position, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.headLocked(), nil
}

func (m *memory) headLocked() Position { return Position(len(m.events)) }

func (m *memory) Append(ctx context.Context, b Batch) (Appended, error) {
	if err := ctx.Err(); err != nil {
		return Appended{}, err
	}
	done, err := m.append(b)
	if err == nil && !done.Known {
		m.tell(Notice{Events: done.Events})
	}
	return done, err
}

func (m *memory) append(b Batch) (Appended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := make([]*Recorded, len(b.Events))
	for i, e := range b.Events {
		if p, ok := m.ids[e.ID]; ok {
			stored[i] = &m.events[p-1]
		}
	}
	known, err := b.Known(stored)
	if err != nil {
		return Appended{}, err
	}
	if known {
		done := Appended{Known: true}
		for _, r := range stored {
			done.Events = append(done.Events, *r)
		}
		return done, nil
	}
	for _, c := range b.Conditions {
		if conflict := m.conflictLocked(c); conflict != nil {
			return Appended{}, conflict
		}
	}
	now := time.Now().UTC().Round(0)
	from := len(m.events)
	for _, e := range b.Events {
		m.storeLocked(Recorded{Event: e, Stored: now})
	}
	return Appended{Events: slices.Clone(m.events[from:])}, nil
}

// storeLocked adds the event at the head.
func (m *memory) storeLocked(r Recorded) {
	r.Position = m.headLocked() + 1
	m.ids[r.ID] = r.Position
	m.byType[r.Type] = append(m.byType[r.Type], r.Position)
	for _, tag := range r.Tags {
		m.byTag[tag] = append(m.byTag[tag], r.Position)
	}
	if r.Stream != "" {
		m.byStream[r.Stream] = append(m.byStream[r.Stream], r.Position)
		r.Version = uint64(len(m.byStream[r.Stream]))
	}
	m.events = append(m.events, r)
	m.sums = append(m.sums, r.Checksum())
}

// conflictLocked returns the condition's conflict, or nil if it holds.
func (m *memory) conflictLocked(c Condition) *ConflictError {
	if c.Kind == NoneAfter {
		if p := m.nextLocked(c.Query, c.After, m.headLocked()); p > 0 {
			return &ConflictError{Condition: c, Position: p}
		}
		return nil
	}
	in := m.byStream[c.Stream]
	var last Position
	if len(in) > 0 {
		last = in[len(in)-1]
	}
	return c.OfVersion(uint64(len(in)), last)
}

func (m *memory) Page(ctx context.Context, r PageRequest) (Page, error) {
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	if r.Limit < 1 || r.MaxBytes < 1 {
		return Page{}, fmt.Errorf("memory: page of %d events, %d bytes: want at least 1", r.Limit, r.MaxBytes)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	page := Page{Head: m.headLocked()}
	lo, hi := r.After, page.Head // what is in (lo, hi] has not been looked at
	if r.Until > 0 {
		hi = min(hi, r.Until)
	}
	bytes := 0
	for lo < hi && len(page.Events) < r.Limit && bytes < r.MaxBytes {
		var p Position
		if r.Backward {
			if p = m.previousLocked(r.Query, lo, hi); p == 0 {
				hi = lo
				break
			}
			hi = p - 1
		} else {
			if p = m.nextLocked(r.Query, lo, hi); p == 0 {
				lo = hi
				break
			}
			lo = p
		}
		event := m.events[p-1].Clone()
		page.Events = append(page.Events, event)
		bytes += len(event.Data)
	}
	page.More = lo < hi
	if page.Next = lo; r.Backward {
		page.Next = hi
	}
	return page, nil
}

// nextLocked returns the first position in (lo, hi] that matches q, or 0.
func (m *memory) nextLocked(q Query, lo, hi Position) Position {
	if q.all {
		if lo < hi {
			return lo + 1
		}
		return 0
	}
	var found Position
	for _, item := range q.items {
		lists := m.listsLocked(item)
		for p := lo; p < hi; {
			if p = seekAll(lists, p, hi); p == 0 {
				break
			}
			if item.Matches(&m.events[p-1].Event) {
				found, hi = p, p-1 // another item only counts before it
				break
			}
		}
	}
	return found
}

// previousLocked returns the last position in (lo, hi] that matches q, or 0.
func (m *memory) previousLocked(q Query, lo, hi Position) Position {
	if q.all {
		if lo < hi {
			return hi
		}
		return 0
	}
	var found Position
	for _, item := range q.items {
		lists := m.listsLocked(item)
		for p := hi; p > lo; p-- {
			if p = seekAllBack(lists, lo, p); p == 0 {
				break
			}
			if item.Matches(&m.events[p-1].Event) {
				found, lo = p, p
				break
			}
		}
	}
	return found
}

// listsLocked returns lists that together hold what matches the item, and not
// much more: its stream, or its rarest tag, or its types.
func (m *memory) listsLocked(item Item) [][]Position {
	var best [][]Position
	narrow := func(list []Position) {
		if best == nil || len(list) < len(best[0]) {
			best = [][]Position{list}
		}
	}
	if item.Stream != "" {
		narrow(m.byStream[item.Stream])
	}
	for _, tag := range item.Tags {
		narrow(m.byTag[tag])
	}
	if best == nil {
		for _, name := range item.Types {
			best = append(best, m.byType[name])
		}
	}
	return best
}

// seekAll returns the smallest position in (lo, hi] of any list, or 0.
func seekAll(lists [][]Position, lo, hi Position) (found Position) {
	for _, list := range lists {
		i, _ := slices.BinarySearch(list, lo+1)
		if i < len(list) && list[i] <= hi {
			found, hi = list[i], list[i]
		}
	}
	return found
}

// seekAllBack returns the largest position in (lo, hi] of any list, or 0.
func seekAllBack(lists [][]Position, lo, hi Position) (found Position) {
	for _, list := range lists {
		i, _ := slices.BinarySearch(list, hi+1)
		if i > 0 && list[i-1] > lo {
			found, lo = list[i-1], list[i-1]
		}
	}
	return found
}

func (m *memory) Watch(fn func(Notice)) (stop func()) {
	m.watching.Lock()
	defer m.watching.Unlock()
	m.watcher++
	n := m.watcher
	m.watchers[n] = fn
	return func() {
		m.watching.Lock()
		defer m.watching.Unlock()
		delete(m.watchers, n)
	}
}

// tell calls the watchers, with no lock held.
func (m *memory) tell(n Notice) {
	m.watching.Lock()
	fns := make([]func(Notice), 0, len(m.watchers))
	for _, fn := range m.watchers {
		fns = append(fns, fn)
	}
	m.watching.Unlock()
	for _, fn := range fns {
		fn(n)
	}
}
