package sqlite

import (
	"errors"
	"fmt"
	"strings"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// cursor goes through one index entry of an item: its stream, its rarest tag,
// or one of its types. What else the item asks for is looked up on the way. It
// reads chunks, so a statement serves any number of cursors.
type cursor struct {
	c        *conn
	query    string
	args     []any // entry, lower bound, upper bound, limit, then what is looked up
	backward bool
	types    map[int64]bool    // nil: any
	indexed  int64             // up to here the table of tags has all
	fresh    [2][]*taggedEvent // what it may not have, by position
	also     []int64           // the tags that those must have

	rows []place // of the present chunk, not yet looked at
	size int     // of the next chunk
	dry  bool    // the index has no next chunk
	end  bool    // there is no next chunk
}

// place is an entry of the index.
type place struct {
	at      int64
	matches bool // also what is looked up
}

const (
	firstChunk, maxChunk = 16, 1024
	// maxLookups bounds the tags that SQL looks up for an entry; the event
	// itself shows the others.
	maxLookups = 8
)

// kinds are what can be gone through: the beginning of the statement.
var kinds = map[byte]string{
	's': "SELECT position, type, %s FROM eventstore_events AS e WHERE stream = ",
	'y': "SELECT position, type, %s FROM eventstore_events AS e WHERE type = ",
	't': "SELECT position, type, %s FROM eventstore_tags AS e WHERE tag = ",
}

// cursorQuery is the text of a cursor's statement.
func cursorQuery(kind byte, lookups int, backward bool) string {
	also := "1"
	if lookups > 0 {
		parts := make([]string, lookups)
		for i := range parts {
			parts[i] = fmt.Sprintf("EXISTS (SELECT 1 FROM eventstore_tags AS t WHERE t.tag = ?%d AND t.position = e.position)", 5+i)
		}
		also = strings.Join(parts, " AND ")
	}
	order := ""
	if backward {
		order = " DESC"
	}
	return fmt.Sprintf(kinds[kind], also) + "?1 AND position > ?2 AND position <= ?3 ORDER BY position" + order + " LIMIT ?4"
}

// cursors returns the cursors that together find what matches the item in
// (lo, hi], and perhaps more; none if nothing does.
func (c *conn) cursors(item eventstore.Item, lo, hi int64, backward bool) ([]*cursor, error) {
	numbers := func(names []string) ([]int64, error) {
		var out []int64
		for _, name := range names {
			n, found, err := c.number(name)
			if err != nil {
				return nil, err
			}
			if found {
				out = append(out, n)
			}
		}
		return out, nil
	}
	types, err := numbers(item.Types)
	if err != nil || len(types) == 0 && len(item.Types) > 0 {
		return nil, err
	}
	tags, err := numbers(item.Tags)
	if err != nil || len(tags) < len(item.Tags) {
		return nil, err
	}
	open := func(kind byte, entry int64, lookups []int64, types []int64) *cursor {
		lookups = lookups[:min(len(lookups), maxLookups)]
		cur := &cursor{c: c, query: cursorQuery(kind, len(lookups), backward), backward: backward, size: firstChunk}
		cur.args = []any{entry, lo, hi, 0}
		cur.indexed = c.fresh.upTo()
		for _, tag := range lookups {
			cur.args = append(cur.args, tag)
		}
		if len(types) > 0 {
			cur.types = make(map[int64]bool, len(types))
			for _, n := range types {
				cur.types[n] = true
			}
		}
		return cur
	}
	if item.Stream != "" {
		in, found, err := c.number(item.Stream)
		if err != nil || !found {
			return nil, err
		}
		return []*cursor{open('s', in, tags, types)}, nil
	}
	if len(tags) > 0 {
		if err := c.rarestFirst(tags, lo, hi); err != nil {
			return nil, err
		}
		cur := open('t', tags[0], tags[1:], types)
		// Together: what goes to the table meanwhile is found here.
		cur.indexed, cur.fresh = c.fresh.find(tags[0], lo, hi)
		cur.also = tags[1:]
		cur.args[2] = min(hi, cur.indexed)
		cur.dry = cur.indexed <= lo
		return []*cursor{cur}, nil
	}
	var all []*cursor
	for _, n := range types {
		all = append(all, open('y', n, nil, nil))
	}
	return all, nil
}

const countTag = "SELECT count(*) FROM (SELECT 1 FROM eventstore_tags WHERE tag = ?1 AND position > ?2 AND position <= ?3 LIMIT ?4)"

// rarestFirst moves the tag with the fewest events in (lo, hi] to the front. It
// counts no further than a small multiple of that number.
func (c *conn) rarestFirst(tags []int64, lo, hi int64) error {
	if len(tags) < 2 {
		return nil
	}
	for limit := int64(16); ; limit *= 8 {
		best, least := 0, limit
		for i, tag := range tags {
			indexed, fresh := c.fresh.find(tag, lo, hi)
			n, _, err := c.int64(countTag, tag, lo, min(hi, indexed), limit)
			if err != nil {
				return err
			}
			if n += int64(len(fresh[0]) + len(fresh[1])); n < least {
				best, least = i, n
			}
		}
		if least < limit || limit > 1<<20 {
			tags[0], tags[best] = tags[best], tags[0]
			return nil
		}
	}
}

// peek returns the place that comes next, if there is one.
func (cur *cursor) peek() (p place, ok bool, err error) {
	if len(cur.rows) == 0 && !cur.end {
		if err := cur.fill(); err != nil {
			return p, false, err
		}
	}
	if len(cur.rows) == 0 {
		return p, false, nil
	}
	return cur.rows[0], true, nil
}

// fill reads the next chunk: of the index, and then, going forwards, or before
// that of the fresh ones.
func (cur *cursor) fill() error {
	if cur.backward {
		cur.take()
	}
	if len(cur.rows) == 0 && !cur.dry {
		if err := cur.read(); err != nil {
			return err
		}
	}
	if len(cur.rows) == 0 && !cur.backward {
		cur.take()
	}
	cur.end = len(cur.rows) == 0
	return nil
}

// take takes the next fresh ones that match.
func (cur *cursor) take() {
	for len(cur.rows) < maxChunk {
		part := &cur.fresh[0]
		if len(*part) == 0 || cur.backward && len(cur.fresh[1]) > 0 {
			part = &cur.fresh[1]
		}
		if len(*part) == 0 {
			return
		}
		next := (*part)[0]
		if cur.backward {
			next = (*part)[len(*part)-1]
			*part = (*part)[:len(*part)-1]
		} else {
			*part = (*part)[1:]
		}
		if (cur.types == nil || cur.types[next.kind]) && next.has(cur.also) {
			cur.rows = append(cur.rows, place{next.at, true})
		}
	}
}

// read reads the next chunk of the index.
func (cur *cursor) read() error {
	cur.args[3] = cur.size
	err := cur.c.rows(func(s *sqlite3.Stmt) bool {
		p := place{at: s.ColumnInt64(0)}
		// The table may not have the tags that are looked up; the event shows.
		p.matches = s.ColumnInt64(2) != 0 || p.at > cur.indexed
		p.matches = p.matches && (cur.types == nil || cur.types[s.ColumnInt64(1)])
		cur.rows = append(cur.rows, p)
		return true
	}, cur.query, cur.args...)
	if err != nil {
		return err
	}
	if cur.dry = len(cur.rows) < cur.size; !cur.dry {
		if last := cur.rows[len(cur.rows)-1].at; cur.backward {
			cur.args[2] = last - 1
		} else {
			cur.args[1] = last
		}
	}
	cur.size = min(2*cur.size, maxChunk)
	return nil
}

// merge goes through what matches a query, in the order of positions.
type merge struct {
	c        *conn
	q        eventstore.Query
	backward bool
	cursors  []*cursor
	at       int64 // the last place that was looked at
}

// merge begins with a query that is not All.
func (c *conn) merge(q eventstore.Query, after, until eventstore.Position, backward bool) (*merge, error) {
	m := &merge{c: c, q: q, backward: backward}
	for _, item := range q.Items() {
		cursors, err := c.cursors(item, number(after), number(until), backward)
		if err != nil {
			return nil, err
		}
		m.cursors = append(m.cursors, cursors...)
	}
	return m, nil
}

// next looks at the next place and returns the event there, if it matches;
// false if there is none.
func (m *merge) next() (*eventstore.Recorded, bool, error) {
	best, found := place{}, false
	for _, cur := range m.cursors {
		p, ok, err := cur.peek()
		if err != nil {
			return nil, false, err
		}
		if ok && (!found || p.at < best.at != m.backward && p.at != best.at) {
			best, found = p, true
		}
	}
	if !found {
		return nil, false, nil
	}
	matches := false
	for _, cur := range m.cursors {
		if len(cur.rows) > 0 && cur.rows[0].at == best.at {
			matches = matches || cur.rows[0].matches
			cur.rows = cur.rows[1:]
		}
	}
	m.at = best.at
	if !matches {
		return nil, true, nil
	}
	r, there, err := m.c.one("position = ?", best.at)
	if err != nil {
		return nil, false, err
	}
	if !there {
		return nil, false, errors.New("corrupted: an index has an event that is not there: position " + fmt.Sprint(best.at))
	}
	if !m.q.Matches(&r.Event) {
		return nil, true, nil
	}
	return &r, true, nil
}
