package postgres

import (
	"context"
	"fmt"
	"math"
	"math/bits"

	"example.com/signals/eventstore"
)

// Page reads a page in one statement.
func (db *DB) Page(ctx context.Context, r eventstore.PageRequest) (page eventstore.Page, err error) {
	if err := db.ready(ctx); err != nil {
		return eventstore.Page{}, err
	}
	err = db.retry(ctx, func() (err error) {
		page, err = db.pageOver(ctx, db.pool, r)
		return err
	})
	return page, err
}

func (db *DB) pageOver(ctx context.Context, o over, r eventstore.PageRequest) (eventstore.Page, error) {
	if r.Limit < 1 || r.MaxBytes < 1 {
		return eventstore.Page{}, fmt.Errorf("postgres: page of %d events, %d bytes: want at least 1", r.Limit, r.MaxBytes)
	}
	text, args := pageSQL(r)
	rows, err := o.Query(ctx, db.sql(text), args...)
	if err != nil {
		return eventstore.Page{}, named("page", err)
	}
	defer rows.Close()
	var page eventstore.Page
	bytes := 0
	for rows.Next() {
		var r row
		if err := rows.Scan(append([]any{&page.Head}, r.targets()...)...); err != nil {
			return eventstore.Page{}, named("page", err)
		}
		if r.position == nil { // only the head
			continue
		}
		event, err := r.event()
		if err != nil {
			return eventstore.Page{}, err
		}
		page.Events = append(page.Events, event)
		bytes += len(event.Data)
	}
	if err := rows.Err(); err != nil {
		return eventstore.Page{}, named("page", err)
	}
	lo, hi := r.After, page.Head // what has not been looked at
	if r.Until > 0 {
		hi = min(hi, r.Until)
	}
	if full := len(page.Events) == r.Limit || bytes >= r.MaxBytes; full && r.Backward {
		hi = page.Events[len(page.Events)-1].Position - 1
	} else if full {
		lo = page.Events[len(page.Events)-1].Position
	} else if r.Backward {
		hi = min(hi, lo)
	} else {
		lo = max(hi, lo)
	}
	page.More = lo < hi
	if page.Next = lo; r.Backward {
		page.Next = hi
	}
	return page, nil
}

// pageSQL returns the statement. The head is of the same snapshot as the
// events. The sum of the sizes ends the page in the server; it does not read
// what is stored out of line to know them.
func pageSQL(r eventstore.PageRequest) (string, []any) {
	until := r.Until
	if until == 0 {
		until = math.MaxInt64
	}
	// Few texts for all limits; the outer LIMIT is exact.
	limit := 1 << bits.Len(uint(min(r.Limit, 1<<30)-1))
	s := newSearch(r.After, until, limit, r.Backward)
	from := "{s}.events e WHERE " + s.within("e") + s.order("e.position")
	if !r.Query.IsAll() {
		from = "{s}.events e WHERE e.position IN (" + s.positions(r.Query) + ")"
	}
	down := ""
	if r.Backward {
		down = " DESC"
	}
	bytes, exact := s.arg(int64(r.MaxBytes)), s.arg(r.Limit)
	return "SELECT c.position, " + columns + " FROM {s}.counter c LEFT JOIN (" +
		"SELECT * FROM (SELECT *, coalesce(sum(octet_length(e.data)) OVER (ORDER BY e.position" + down +
		" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM (SELECT e.* FROM " + from + ") e) e" +
		" WHERE e.before < " + bytes + " ORDER BY e.position" + down + " LIMIT " + exact +
		") e ON true ORDER BY e.position" + down, s.args
}
