package sqlite

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// maxLooks bounds the places in an index that a page looks at.
const maxLooks = 20_000

// Head implements [eventstore.Backend].
func (db *DB) Head(ctx context.Context) (eventstore.Position, error) {
	if err := db.usable(ctx); err != nil {
		return 0, err
	}
	return eventstore.Position(db.head.Load()), nil
}

// Page implements [eventstore.Backend]. Events never change and positions are
// dense, so what is at or before the head is the same for every statement: it
// needs no transaction.
func (db *DB) Page(ctx context.Context, r eventstore.PageRequest) (page eventstore.Page, err error) {
	if r.Limit < 1 || r.MaxBytes < 1 {
		return page, fmt.Errorf("sqlite: page of %d events, %d bytes: want at least 1", r.Limit, r.MaxBytes)
	}
	if err := db.usable(ctx); err != nil {
		return page, err
	}
	page.Head = eventstore.Position(db.head.Load())
	until := page.Head
	if r.Until > 0 {
		until = min(until, r.Until)
	}
	if r.After >= until {
		page.Next = r.After
		if r.Backward {
			page.Next = max(until, r.After)
		}
		return page, nil
	}
	err = db.read(ctx, func(c *conn) error {
		if r.Query.IsAll() {
			return c.pageOfAll(&page, r, until)
		}
		return c.pageOf(&page, r, until)
	})
	return page, err
}

// full reports whether the page is, with so many bytes.
func full(page *eventstore.Page, r *eventstore.PageRequest, bytes int) bool {
	return len(page.Events) >= r.Limit || bytes >= r.MaxBytes
}

const (
	pageUp   = "SELECT " + columns + " FROM eventstore_events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
	pageDown = "SELECT " + columns + " FROM eventstore_events WHERE position > ? AND position <= ? ORDER BY position DESC LIMIT ?"
)

// pageOfAll reads events one after the other.
func (c *conn) pageOfAll(page *eventstore.Page, r eventstore.PageRequest, until eventstore.Position) error {
	query := pageUp
	if r.Backward {
		query = pageDown
	}
	bytes := 0
	var bad error
	page.Events = make([]eventstore.Recorded, 0, min(r.Limit, 1024, int(min(until-r.After, 1024))))
	err := c.rows(func(s *sqlite3.Stmt) bool {
		e, err := c.event(s)
		if err != nil {
			bad = err
			return false
		}
		page.Events = append(page.Events, e)
		bytes += len(e.Data)
		return !full(page, &r, bytes)
	}, query, r.After, until, int64(r.Limit))
	if err := errors.Join(bad, err); err != nil {
		return err
	}
	n := len(page.Events)
	if n == 0 {
		return fmt.Errorf("corrupted: there are no events from position %d to %d, at head %d", r.After+1, until, page.Head)
	}
	want := r.After + eventstore.Position(n)
	page.Next = want
	if r.Backward {
		want = until - eventstore.Position(n-1)
		page.Next = want - 1
		page.More = page.Next > r.After
	} else {
		page.More = page.Next < until
	}
	if last := page.Events[n-1].Position; last != want {
		return fmt.Errorf("corrupted: there is a gap in the positions before %d", max(last, want))
	}
	return nil
}

// pageOf reads what matches a query.
func (c *conn) pageOf(page *eventstore.Page, r eventstore.PageRequest, until eventstore.Position) error {
	m, err := c.merge(r.Query, r.After, until, r.Backward)
	if err != nil {
		return err
	}
	bytes := 0
	for looks := 0; !full(page, &r, bytes) && looks < maxLooks; looks++ {
		e, more, err := m.next()
		if err != nil {
			return err
		}
		if !more {
			page.Next = until
			if r.Backward {
				page.Next = r.After
			}
			return nil
		}
		if e != nil {
			page.Events = append(page.Events, *e)
			bytes += len(e.Data)
		}
	}
	page.Next = eventstore.Position(m.at)
	if page.More = page.Next < until; r.Backward {
		page.Next--
		page.More = page.Next > r.After
	}
	return nil
}
