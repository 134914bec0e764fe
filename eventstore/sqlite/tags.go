package sqlite

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/ncruces/go-sqlite3"
)

// The tags of an event are in three or more places of eventstore_tags, far from
// each other once it is large: each a page for the WAL, and later for the
// database. So those of the newest events stay in memory, where readers find
// them, and go to the table thousands at a time, in the order of the table: many
// to a page. (The idea is that of log-structured merge trees: O'Neil et al.,
// 1996.) Nothing depends on memory: the event itself has its tags, and
// eventstore_tagged says from where on they have to be read again.

// taggedEvent is an event that has tags. It does not change.
type taggedEvent struct {
	at, kind int64 // position and type
	tags     []int64
}

// generation are the tags of the events of a time.
type generation struct {
	events []*taggedEvent           // by position
	by     map[int64][]*taggedEvent // by tag, and position
}

func (g *generation) add(e *taggedEvent) {
	if g.by == nil {
		g.by = map[int64][]*taggedEvent{}
	}
	g.events = append(g.events, e)
	for _, tag := range e.tags {
		g.by[tag] = append(g.by[tag], e)
	}
}

// cut takes out what is behind a position.
func (g *generation) cut(head int64) {
	for len(g.events) > 0 && g.events[len(g.events)-1].at > head {
		e := g.events[len(g.events)-1]
		g.events = g.events[:len(g.events)-1]
		for _, tag := range e.tags {
			g.by[tag] = g.by[tag][:len(g.by[tag])-1]
		}
	}
}

// within returns those of a tag in (lo, hi].
func (g *generation) within(tag, lo, hi int64) []*taggedEvent {
	all := g.by[tag]
	from := upTo(all, lo)
	return all[from:max(from, upTo(all, hi))]
}

// upTo returns how many are at or before a position.
func upTo(all []*taggedEvent, p int64) int {
	n, _ := slices.BinarySearchFunc(all, p, func(e *taggedEvent, p int64) int {
		if e.at <= p {
			return -1
		}
		return 1
	})
	return n
}

// freshTags are the tags that the table may not have yet. What the writer's
// transaction has appended is among them, but its position is behind the head
// of readers.
type freshTags struct {
	mu      sync.RWMutex
	indexed int64      // the table has the tags of all events up to here; under mu
	old     generation // after indexed: on its way to the table; under mu
	now     generation // after that; under mu
}

func (f *freshTags) add(e *taggedEvent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.add(e)
}

// cut takes out what a transaction had appended that was rolled back.
func (f *freshTags) cut(head int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.cut(head)
}

// turn makes old what is there, if it is so much, and returns it.
func (f *freshTags) turn(many int) []*taggedEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.now.events) < many {
		return nil
	}
	f.old, f.now = f.now, generation{}
	return f.old.events
}

// done drops the old ones, which are in the table now.
func (f *freshTags) done(indexed int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.indexed, f.old = indexed, generation{}
}

// find returns up to where the table has all tags, and the events in (lo, hi]
// behind that with the tag, by position. They are shared, and only read: a cut
// takes out what is behind the head of readers. A nil freshTags has nothing: the
// table has all.
func (f *freshTags) find(tag, lo, hi int64) (indexed int64, found [2][]*taggedEvent) {
	if f == nil {
		return math.MaxInt64, found
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	lo = max(lo, f.indexed)
	return f.indexed, [2][]*taggedEvent{f.old.within(tag, lo, hi), f.now.within(tag, lo, hi)}
}

// has reports whether the event has all of the tags.
func (e *taggedEvent) has(tags []int64) bool {
	return !slices.ContainsFunc(tags, func(tag int64) bool { return !slices.Contains(e.tags, tag) })
}

// upTo returns up to where the table has all tags.
func (f *freshTags) upTo() int64 {
	if f == nil {
		return math.MaxInt64
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.indexed
}

// freshEvents is how many events with tags are kept back before they go to the
// table, unless a test says otherwise. With more, more share a page, and Open
// reads more.
const freshEvents = 16_384

// tagEntry is a row of eventstore_tags.
type tagEntry struct{ tag, at, kind int64 }

// tagging is the way of a generation to the table: a part of it goes with each
// transaction. A transaction that fails does its part again, over what may be
// there.
type tagging struct {
	entries []tagEntry // in the order of the table; nil: none are on their way
	last    int64      // position up to which the table then has all
	next    int        // the first that is not in the table, with this transaction
	done    int        // the first that is not in the table for sure
	rows    int        // of the tags that this transaction has brought
}

// begin takes a generation.
func (g *tagging) begin(events []*taggedEvent) {
	*g = tagging{last: events[len(events)-1].at, rows: g.rows}
	for _, e := range events {
		for _, tag := range e.tags {
			g.entries = append(g.entries, tagEntry{tag, e.at, e.kind})
		}
	}
	slices.SortFunc(g.entries, func(a, b tagEntry) int { return cmp.Or(cmp.Compare(a.tag, b.tag), cmp.Compare(a.at, b.at)) })
}

const (
	insertTag = "INSERT OR IGNORE INTO eventstore_tags (tag, position, type) VALUES (?, ?, ?)"
	tagged    = "UPDATE eventstore_tagged SET position = ?"
)

// index brings tags to the table, twice as many as the transaction has
// appended, so that a generation is there before the next one is full.
func (w *writer) index() error {
	g := &w.tagging
	if g.entries == nil || g.rows == 0 {
		return nil
	}
	s, err := w.c.prepare(insertTag)
	if err != nil {
		return err
	}
	to := min(g.next+2*g.rows, len(g.entries))
	for _, e := range g.entries[g.next:to] {
		if err := bind(s, e.tag, e.at, e.kind); err != nil {
			return err
		}
		if err := s.Exec(); err != nil {
			return err
		}
	}
	if g.next = to; to == len(g.entries) {
		return w.c.run(tagged, g.last)
	}
	return nil
}

// indexed is called after the commit.
func (w *writer) indexed() {
	g := &w.tagging
	g.done, g.rows = g.next, 0
	if g.entries != nil && g.done == len(g.entries) {
		w.db.fresh.done(g.last)
		*g = tagging{}
	}
	if g.entries == nil {
		if events := w.db.fresh.turn(w.db.keepBack); events != nil {
			g.begin(events)
		}
	}
}

// unindexed is called after a transaction was rolled back.
func (w *writer) unindexed() {
	w.tagging.next, w.tagging.rows = w.tagging.done, 0
	w.db.fresh.cut(number(w.head))
}

// loadTags reads the tags that the table may not have.
func (w *writer) loadTags() error {
	from, err := w.c.tagged()
	if err != nil {
		return err
	}
	if from > w.head {
		return fmt.Errorf("corrupted: the tags are said to be indexed up to %d, and the head is at %d", from, w.head)
	}
	w.db.fresh.done(number(from))
	var bad error
	err = w.c.rows(func(s *sqlite3.Stmt) bool {
		e := &taggedEvent{at: s.ColumnInt64(0), kind: s.ColumnInt64(1)}
		if e.tags, bad = tagNumbers(nil, s.ColumnRawBlob(2)); bad != nil {
			bad = fmt.Errorf("corrupted: the tags of the event at position %d: %w", e.at, bad)
			return false
		}
		w.db.fresh.add(e)
		return true
	}, "SELECT position, type, tags FROM eventstore_events WHERE position > ? AND tags IS NOT NULL ORDER BY position", from)
	if bad != nil {
		return bad
	}
	return err
}
