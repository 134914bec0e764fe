package postgres

import (
	"fmt"
	"strings"

	"example.com/signals/eventstore"
)

// search builds a statement for a query: its text depends on the query's shape
// only, so that it is prepared once.
type search struct {
	args  []any
	limit int  // of positions; a part of the text, so that the planner knows it
	down  bool // from the largest
}

// newSearch makes the search of a range of positions, which are the first two
// arguments of every one.
func newSearch(after, until eventstore.Position, limit int, down bool) *search {
	return &search{args: []any{column(after), column(until)}, limit: limit, down: down}
}

func (s *search) arg(v any) string {
	s.args = append(s.args, v)
	return fmt.Sprintf("$%d", len(s.args))
}

func (s *search) within(table string) string {
	return fmt.Sprintf("%s.position > $1 AND %[1]s.position <= $2", table)
}

func (s *search) order(column string) string {
	if s.down {
		column += " DESC"
	}
	return fmt.Sprintf(" ORDER BY %s LIMIT %d", column, s.limit)
}

// positions returns a statement for the first positions in the range that match
// the query. Each item, and each type of an item of types alone, is a search
// of its own in the order of an index, and ends when it has enough.
func (s *search) positions(q eventstore.Query) string {
	if q.IsAll() {
		return "SELECT e.position FROM {s}.events e WHERE " + s.within("e") + s.order("e.position")
	}
	var parts []string
	for _, item := range q.Items() {
		parts = append(parts, "("+s.item(item)+")")
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "SELECT u.position FROM (" + strings.Join(parts, " UNION ") + ") u" + s.order("u.position")
}

func (s *search) item(item eventstore.Item) string {
	if item.Stream == "" && len(item.Tags) == 0 {
		return "SELECT p.position FROM unnest(" + s.arg(item.Types) + "::text[]) t (type), LATERAL (" +
			"SELECT e.position FROM {s}.events e WHERE e.type = t.type AND " + s.within("e") + s.order("e.position") +
			") p" + s.order("p.position")
	}
	var from, where []string
	first := ""
	join := func(table, name string) {
		from = append(from, table+" "+name)
		where = append(where, s.within(name)) // of each: the planner may begin with any
		if first == "" {
			first = name
			return
		}
		where = append(where, fmt.Sprintf("%s.position = %s.position", name, first))
	}
	for i, tag := range item.Tags {
		name := fmt.Sprintf("t%d", i)
		join("{s}.event_tags", name)
		where = append(where, name+".tag = "+s.arg(tag))
	}
	if item.Stream != "" || len(item.Types) > 0 {
		join("{s}.events", "e")
		if item.Stream != "" {
			where = append(where, "e.stream = "+s.arg(item.Stream))
		}
		if len(item.Types) > 0 {
			where = append(where, "e.type = ANY("+s.arg(item.Types)+"::text[])")
		}
	}
	return "SELECT " + first + ".position FROM " + strings.Join(from, ", ") +
		" WHERE " + strings.Join(where, " AND ") + s.order(first+".position")
}
