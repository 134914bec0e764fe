package sqlite

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// conn is a connection with its prepared statements. It is used by one
// goroutine at a time.
type conn struct {
	*sqlite3.Conn
	stmts map[string]*sqlite3.Stmt // by their text; closed before the connection
	texts map[int64]string         // names by number; emptied when it is large
	fresh *freshTags               // nil: the table has all tags
}

// maxTexts bounds the names that a connection remembers.
const maxTexts = 1 << 16

func newConn(c *sqlite3.Conn) *conn {
	return &conn{Conn: c, stmts: map[string]*sqlite3.Stmt{}, texts: map[int64]string{}}
}

// dsn returns the file's name as a URI, with parameters.
func dsn(path, params string) string {
	path = filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		path = "/" + path
	}
	return "file:" + strings.ReplaceAll((&url.URL{Path: path}).EscapedPath(), "?", "%3F") + params
}

// pragma is a setting that a connection must have.
type pragma struct{ name, set, want string }

// busyTimeout is how long a connection waits for others.
const busyTimeout = 5 * time.Second

// pragmas returns what is set, and read back, in every connection. mmap would
// turn a failed read into a crash.
func pragmas(synchronous string, cacheKiB int) []pragma {
	number := map[string]string{"full": "2", "normal": "1"}[synchronous]
	cache, busy := fmt.Sprint(-cacheKiB), fmt.Sprint(busyTimeout.Milliseconds())
	return []pragma{
		{"busy_timeout", busy, busy},
		{"journal_mode", "wal", "wal"},
		{"synchronous", synchronous, number},
		{"mmap_size", "0", "0"},
		{"wal_autocheckpoint", "0", "0"}, // the writer does it, and sees when it fails
		{"cache_size", cache, cache},
		{"secure_delete", "on", "1"}, // keys that are forgotten
		{"temp_store", "memory", "2"},
	}
}

// setUp sets the pragmas and verifies that they are set.
func (c *conn) setUp(all []pragma) error {
	for _, p := range all {
		if err := c.Exec(fmt.Sprintf("PRAGMA %s=%s", p.name, p.set)); err != nil {
			return fmt.Errorf("PRAGMA %s=%s: %w", p.name, p.set, err)
		}
		got := "nothing"
		s, _, err := c.Prepare("PRAGMA " + p.name)
		if err != nil {
			return err
		}
		if s.Step() {
			got = s.ColumnText(0)
		}
		err = s.Err()
		if err := errors.Join(err, s.Close()); err != nil {
			return err
		}
		if got != p.want && p.name != "mmap_size" || p.name == "mmap_size" && got != "0" && got != "nothing" {
			return fmt.Errorf("PRAGMA %s is %s after it was set to %s: this file system or this SQLite cannot do what durability needs", p.name, got, p.set)
		}
	}
	return nil
}

// prepare returns the statement of that text, ready to be bound.
func (c *conn) prepare(query string) (*sqlite3.Stmt, error) {
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	s, tail, err := c.PrepareFlags(query, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	if tail != "" {
		return nil, fmt.Errorf("more than one statement: %s", query)
	}
	c.stmts[query] = s
	return s, nil
}

// bind binds arguments, in order.
func bind(s *sqlite3.Stmt, args ...any) (err error) {
	for i, arg := range args {
		switch v := arg.(type) {
		case int64:
			err = s.BindInt64(i+1, v)
		case int:
			err = s.BindInt64(i+1, int64(v))
		case eventstore.Position:
			err = s.BindInt64(i+1, number(v))
		case string:
			err = s.BindText(i+1, v)
		case []byte:
			if v == nil {
				err = s.BindNull(i + 1)
			} else {
				err = s.BindBlob(i+1, v)
			}
		case time.Time:
			if v.IsZero() {
				err = s.BindNull(i + 1)
			} else {
				err = s.BindInt64(i+1, v.UnixNano())
			}
		case nil:
			err = s.BindNull(i + 1)
		default:
			err = fmt.Errorf("an argument of type %T", arg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// number is the position as a column has it. What is beyond that is beyond
// every event.
func number(p eventstore.Position) int64 { return int64(min(p, math.MaxInt64)) }

// run executes a statement that returns nothing.
func (c *conn) run(query string, args ...any) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	if err := bind(s, args...); err != nil {
		return err
	}
	return s.Exec()
}

// rows calls row for each row of the result, until it returns false.
func (c *conn) rows(row func(*sqlite3.Stmt) bool, query string, args ...any) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	if err := bind(s, args...); err != nil {
		return err
	}
	for s.Step() && row(s) {
	}
	err = s.Err()
	if again := s.Reset(); err == nil {
		err = again
	}
	return err
}

// row calls scan with the only row of the result, if there is one.
func (c *conn) row(scan func(*sqlite3.Stmt), query string, args ...any) (found bool, err error) {
	err = c.rows(func(s *sqlite3.Stmt) bool { scan(s); found = true; return false }, query, args...)
	return found, err
}

// int64 returns the only value of the result, if there is one.
func (c *conn) int64(query string, args ...any) (n int64, found bool, err error) {
	found, err = c.row(func(s *sqlite3.Stmt) { n = s.ColumnInt64(0) }, query, args...)
	return n, found, err
}

// text returns the name with that number.
func (c *conn) text(id int64) (string, error) {
	if name, ok := c.texts[id]; ok {
		return name, nil
	}
	var name string
	found, err := c.row(func(s *sqlite3.Stmt) { name = s.ColumnText(0) }, "SELECT name FROM eventstore_names WHERE id = ?", id)
	if err != nil {
		return "", err
	}
	if !found {
		return "", fmt.Errorf("corrupted: there is no name %d", id)
	}
	if len(c.texts) >= maxTexts {
		clear(c.texts)
	}
	c.texts[id] = name
	return name, nil
}

// finalize closes the prepared statements.
func (c *conn) finalize() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	clear(c.stmts)
	return errors.Join(errs...)
}

func (c *conn) close() error { return errors.Join(c.finalize(), c.Close()) }
