package postgres

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5/pgxpool"
)

// wire is what connections of a pool go through. onCommit, if set, is called
// once, with what an append sends to write and commit; it says what is sent.
type wire struct {
	marker   []byte
	onCommit atomic.Pointer[func(send func()) error]
	cut      atomic.Bool // no new connections
}

type wiredConn struct {
	net.Conn
	w *wire
}

func (c wiredConn) Write(b []byte) (int, error) {
	if c.w.marker == nil || !bytes.Contains(b, c.w.marker) {
		return c.Conn.Write(b)
	}
	fn := c.w.onCommit.Swap(nil)
	if fn == nil {
		return c.Conn.Write(b)
	}
	n, err := len(b), error(nil)
	if fault := (*fn)(func() { n, err = c.Conn.Write(b) }); fault != nil {
		c.Close()
		return 0, fault
	}
	return n, err
}

// openWired opens a DB over connections that can fail.
func openWired(t *testing.T) (*DB, *wire) {
	t.Helper()
	s := sharedServer(t)
	c := must(pgxpool.ParseConfig(s.dsn()))
	w := &wire{}
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if w.cut.Load() {
			return nil, errors.New("the server is gone")
		}
		conn, err := dial(ctx, network, addr)
		return wiredConn{conn, w}, err
	}
	pool := must(pgxpool.NewWithConfig(context.Background(), c))
	t.Cleanup(pool.Close)
	db := open(t, pool, newSchema())
	w.marker = []byte(notifyEvents + " " + db.instance)
	return db, w
}

var errCut = errors.New("the connection was cut")

// committed waits, over another pool, until the store has that many events.
func committed(t *testing.T, db *DB, n int) {
	t.Helper()
	pool := newPool(t, sharedServer(t))
	until(t, "the commit", func() bool {
		head, err := db.headOver(context.Background(), pool)
		return err == nil && int(head) == n
	})
}

func TestACommitWhoseAnswerIsLostIsLookedUp(t *testing.T) {
	ctx := within(t)
	db, w := openWired(t)
	store := eventstore.New(db)
	emitted := 0
	store.Persisted().Subscribe(func(context.Context, eventstore.Recorded) error { emitted++; return nil })
	must(store.Append(ctx, one("a")))
	w.onCommit.Store(new(func(send func()) error {
		send()
		committed(t, db, 2)
		return errCut
	}))
	stored, err := store.Append(ctx, one("b"), eventstore.ExpectNone(eventstore.All(), 1))
	ok(t, err)
	if stored[0].Position != 2 || emitted != 2 {
		t.Errorf("stored at %d, %d emitted", stored[0].Position, emitted)
	}
	must(store.Append(ctx, one("c")))
	if got := ids(t, db); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("events %v", got)
	}
}

func TestACommitThatNeverArrivedIsNoUnknownOutcome(t *testing.T) {
	ctx := within(t)
	db, w := openWired(t)
	store := eventstore.New(db)
	w.onCommit.Store(new(func(func()) error { return errCut }))
	_, err := store.Append(ctx, one("a"))
	if !errors.Is(err, errCut) || errors.Is(err, eventstore.ErrOutcomeUnknown) {
		t.Errorf("error %v", err)
	}
	if got := ids(t, db); got != nil {
		t.Errorf("events %v", got)
	}
	must(store.Append(ctx, one("a")))
}

// A fast retry after an unknown outcome must not conflict with itself.
func TestAnUnknownOutcomeIsToldByTheID(t *testing.T) {
	ctx := within(t)
	db, w := openWired(t)
	db.resolvable = 100 * time.Millisecond
	store := eventstore.New(db)
	must(store.Append(ctx, one("a")))
	cond := eventstore.ExpectNone(eventstore.All(), 1)
	w.onCommit.Store(new(func(send func()) error {
		send()
		committed(t, db, 2)
		w.cut.Store(true)
		db.pool.Reset() // no other connection is left either
		return errCut
	}))
	_, err := store.Append(ctx, one("b"), cond)
	if !errors.Is(err, eventstore.ErrOutcomeUnknown) {
		t.Fatalf("error %v; want ErrOutcomeUnknown", err)
	}
	w.cut.Store(false)
	again, err := store.Append(ctx, one("b"), cond)
	ok(t, err)
	if again[0].Position != 2 || !slices.Equal(ids(t, db), []string{"a", "b"}) {
		t.Errorf("again at %d, events %v", again[0].Position, ids(t, db))
	}
}

func TestAContextThatEndsDuringTheCommitDoesNotEndIt(t *testing.T) {
	ctx := within(t)
	db, w := openWired(t)
	store := eventstore.New(db)
	begun, release := make(chan struct{}), make(chan struct{})
	w.onCommit.Store(new(func(send func()) error {
		close(begun)
		<-release
		send()
		return nil
	}))
	during, cancel := context.WithCancel(ctx)
	errs := make(chan error, 1)
	go func() {
		_, err := store.Append(during, one("a"))
		errs <- err
	}()
	await(t, "the commit", begun)
	cancel()
	if err := await(t, "the answer", errs); !errors.Is(err, eventstore.ErrOutcomeUnknown) || errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want ErrOutcomeUnknown alone", err)
	}
	close(release)
	must(store.Append(ctx, one("b")))
	if got := ids(t, db); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("events %v", got)
	}
}

func TestAContextThatEndsInTheQueueWritesNothing(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	db := open(t, pool, newSchema())
	store := eventstore.New(db)
	tx := must(pool.Begin(ctx))
	must(db.AppendTx(ctx, tx, one("first")))
	waiting, cancel := context.WithCancel(ctx)
	errs := make(chan error, 2)
	append := func(ctx context.Context, id string) {
		_, err := store.Append(ctx, one(id))
		errs <- err
	}
	go append(waiting, "never")
	untilOneWaits(t, pool, "counter")
	cancel()
	if err := await(t, "who gave up", errs); !errors.Is(err, context.Canceled) || errors.Is(err, eventstore.ErrOutcomeUnknown) {
		t.Errorf("error %v; want context.Canceled", err)
	}
	go append(ctx, "second")
	ok(t, tx.Commit(ctx))
	ok(t, await(t, "who waited", errs))
	if got := ids(t, db); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("events %v", got)
	}
}

// A refusal that rests on an event which is not committed yet waits for it.
func TestARefusalWaitsForTheCommitThatItRestsOn(t *testing.T) {
	ctx := within(t)
	db, w := openWired(t)
	store := eventstore.New(db)
	tx := must(db.pool.Begin(ctx)) // holds the others up, so that they are one group
	must(db.look(ctx, tx, nil))
	errs := make(chan error, 2)
	append := func(id string, conds ...eventstore.Condition) {
		_, err := store.Append(ctx, one(id), conds...)
		errs <- err
	}
	go append("zero")
	untilOneWaits(t, newPool(t, sharedServer(t)), "counter")
	queued := func(n int) {
		until(t, "it is queued", func() bool {
			db.writer.mu.Lock()
			defer db.writer.mu.Unlock()
			return len(db.writer.queue) == n
		})
	}
	go append("a")
	queued(1)
	go append("b", eventstore.ExpectNone(eventstore.All(), 1))
	queued(2)
	ok(t, tx.Rollback(ctx))
	ok(t, await(t, "the first", errs))
	w.onCommit.Store(new(func(func()) error { return errCut }))
	for range 2 { // "a" was not stored, and so not in the way of "b"
		err := await(t, "an answer", errs)
		if _, conflict := errors.AsType[*eventstore.ConflictError](err); conflict {
			t.Errorf("a conflict with what is not stored: %v", err)
		}
	}
}
