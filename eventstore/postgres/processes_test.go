package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestFollowersGetTheEventsOfAnotherProcess(t *testing.T) {
	ctx := within(t)
	s, schema := sharedServer(t), newSchema()
	here, there := open(t, newPool(t, s), schema, Poll(time.Hour)), open(t, newPool(t, s), schema)
	followed := follow(t, here)
	store := eventstore.New(there)
	for i := range 100 {
		batch := make([]eventstore.Event, 1+i%3)
		for j := range batch {
			batch[j] = event("a", "x")
		}
		for _, want := range must(store.Append(ctx, batch)) {
			if r := await(t, "an event of the other process", followed); r.ID != want.ID || r.Version != want.Version {
				t.Fatalf("followed %+v; want %+v", r, want)
			}
		}
	}
	var many []eventstore.Event // more than a notice brings
	for range 1000 {
		many = append(many, event("a", ""))
	}
	for _, want := range must(store.Append(ctx, many)) {
		if r := await(t, "one of many", followed); r.ID != want.ID {
			t.Fatalf("followed %d; want %d", r.Position, want.Position)
		}
	}
}

// A notification can be lost: here it was never sent.
func TestAnEventWithoutNotificationIsFoundByThePoll(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	db := open(t, pool, newSchema(), Poll(20*time.Millisecond))
	followed := follow(t, db)
	for i := range 3 {
		id := fmt.Sprint(i)
		tx := must(pool.Begin(ctx))
		l := must(db.look(ctx, tx, nil))
		must(l.decide(0, must(eventstore.NewBatch(one(id)))))
		var b pgx.Batch
		db.queueInsert(&b, l.new)
		ok(t, tx.SendBatch(ctx, &b).Close())
		ok(t, tx.Commit(ctx))
		if r := await(t, "an event without notification", followed); r.ID != id {
			t.Fatalf("followed %+v", r)
		}
	}
}

func TestOneConnectionListensForAllFollowers(t *testing.T) {
	ctx := within(t)
	s := sharedServer(t)
	c := must(pgxpool.ParseConfig(s.dsn() + " application_name=followers"))
	c.MaxConns = 2
	pool := must(pgxpool.NewWithConfig(ctx, c))
	t.Cleanup(pool.Close) // behind the end of what the test has begun
	db := open(t, pool, newSchema(), Poll(time.Hour))
	must(eventstore.New(db).Append(ctx, one("a")))
	for range 50 {
		await(t, "the first event", follow(t, db))
	}
	lease := must(db.Lease(ctx, "k"))
	defer lease.Release()
	var n int
	ok(t, newPool(t, s).QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'followers'").Scan(&n))
	if n > 3 {
		t.Errorf("%d connections for 50 followers and a lease over a pool of 2", n)
	}
}

func TestTheListeningConnectionEndsWithTheLastWatcher(t *testing.T) {
	ctx := within(t)
	s := sharedServer(t)
	pool := must(pgxpool.New(ctx, s.dsn()+" application_name=watchers"))
	t.Cleanup(pool.Close) // behind the end of what the test has begun
	db := open(t, pool, newSchema())
	count := func() (n int) {
		ok(t, newPool(t, s).QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'watchers'").Scan(&n))
		return n
	}
	before := count()
	for range 3 {
		told := make(chan struct{}, 10)
		stop := db.Watch(func(eventstore.Notice) { told <- struct{}{} })
		await(t, "the first notice", told)
		stop()
		stop()
		until(t, "the connection ends", func() bool { return count() <= before })
	}
}

// Whose connection is lost goes on with another one, and misses nothing.
func TestFollowersSurviveALostConnection(t *testing.T) {
	ctx := within(t)
	s, schema := sharedServer(t), newSchema()
	pool := must(pgxpool.New(ctx, s.dsn()+" application_name=victim"))
	t.Cleanup(pool.Close) // behind the end of what the test has begun
	db, other := open(t, pool, schema, Poll(time.Hour)), open(t, newPool(t, s), schema)
	store := eventstore.New(other)
	followed := follow(t, db)
	for i := range 10 {
		must(other.pool.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"))
		id := fmt.Sprint(i)
		must(store.Append(ctx, one(id)))
		if r := await(t, "an event after the loss", followed); r.ID != id {
			t.Fatalf("followed %+v; want %s", r, id)
		}
	}
}

func TestALeaseIsTakenOverWhenItsConnectionIsLost(t *testing.T) {
	ctx := within(t)
	s, schema := sharedServer(t), newSchema()
	pool := must(pgxpool.New(ctx, s.dsn()+" application_name=holder"))
	t.Cleanup(pool.Close) // behind the end of what the test has begun
	holder, standby := open(t, pool, schema), open(t, newPool(t, s), schema, Poll(20*time.Millisecond))
	first := must(holder.Lease(ctx, "k"))
	got := make(chan eventstore.Lease, 1)
	go func() { got <- must(standby.Lease(ctx, "k")) }()
	second := make(chan eventstore.Lease, 1)
	go func() { second <- must(holder.Lease(ctx, "other")) }()
	other := await(t, "a lease of another key", second)
	select {
	case <-got:
		t.Fatal("two processes hold the lease")
	case <-first.Lost():
		t.Fatal("the lease is lost")
	default:
	}
	must(standby.pool.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'"))
	await(t, "the loss", first.Lost())
	await(t, "the loss of the other", other.Lost())
	taken := await(t, "the take-over", got)
	first.Release() // not that of the other process
	select {
	case <-taken.Lost():
		t.Fatal("the lease is lost")
	default:
	}
	taken.Release()
	must(holder.Lease(ctx, "k")).Release()
}

func TestALeaseThatIsGivenBackIsTakenAtOnceByAnotherProcess(t *testing.T) {
	ctx := within(t)
	s, schema := sharedServer(t), newSchema()
	a, b := open(t, newPool(t, s), schema, Poll(time.Hour)), open(t, newPool(t, s), schema, Poll(time.Hour))
	for range 5 {
		l := must(a.Lease(ctx, "k"))
		got := make(chan eventstore.Lease, 1)
		go func() { got <- must(b.Lease(ctx, "k")) }()
		until(t, "the other stands by", func() bool {
			b.session.mu.Lock()
			defer b.session.mu.Unlock()
			k := b.session.leases["k"]
			return k != nil && len(k.waiting) == 1 && !b.session.wanted && b.session.interrupt != nil
		})
		l.Release()
		await(t, "the take-over", got).Release()
	}
}

func TestALeaseEndsWithItsDB(t *testing.T) {
	ctx := within(t)
	s, schema := sharedServer(t), newSchema()
	a, b := open(t, newPool(t, s), schema), open(t, newPool(t, s), schema, Poll(20*time.Millisecond))
	l := must(a.Lease(ctx, "k"))
	waits := make(chan error, 1)
	go func() {
		_, err := a.Lease(ctx, "k")
		waits <- err
	}()
	until(t, "the other waits", func() bool {
		a.session.mu.Lock()
		defer a.session.mu.Unlock()
		return len(a.session.leases["k"].waiting) == 1
	})
	ok(t, a.Close())
	await(t, "the end of the lease", l.Lost())
	if err := await(t, "the end of the wait", waits); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("error %v", err)
	}
	must(b.Lease(ctx, "k")).Release()
	if _, err := a.Lease(ctx, "k"); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestKeysOfAnotherProcessAreTold(t *testing.T) {
	ctx := within(t)
	s, schema := sharedServer(t), newSchema()
	a, b := open(t, newPool(t, s), schema), open(t, newPool(t, s), schema, Poll(time.Hour))
	must(eventstore.New(a).Append(ctx, one("e")))
	told := make(chan eventstore.Notice, 100)
	defer b.Watch(func(n eventstore.Notice) { told <- n })()
	await(t, "the first notice", told)
	key := "a key with  spaces ü"
	must(a.OpenKey(ctx, key, 0))
	for await(t, "a notice of the key", told).Key != key {
	}
	ok(t, a.Advance(ctx, eventstore.Move{Key: key, To: 1}, nil))
	for await(t, "a notice of the key", told).Key != key {
	}
}

func TestStoresInOneDatabaseAreSeparate(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	a, b := open(t, pool, newSchema()), open(t, pool, newSchema())
	must(eventstore.New(a).Append(ctx, one("a")))
	must(eventstore.New(b).Append(ctx, one("b")))
	la, lb := must(a.Lease(ctx, "k")), must(b.Lease(ctx, "k"))
	la.Release()
	lb.Release()
	if !slices.Equal(ids(t, a), []string{"a"}) || !slices.Equal(ids(t, b), []string{"b"}) {
		t.Error("they share events")
	}
	if must(a.Identity(ctx)) == must(b.Identity(ctx)) {
		t.Error("they share an identity")
	}
}

func TestCloseEndsFollowersAndWaitingAppends(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	schema := newSchema()
	db := open(t, pool, schema)
	store := eventstore.New(db)
	must(store.Append(ctx, one("a")))
	followed := make(chan error, 2)
	began := make(chan struct{})
	go func() {
		for _, err := range store.Follow(ctx, eventstore.All(), 0) {
			if err != nil {
				followed <- err
				return
			}
			close(began)
		}
	}()
	await(t, "the follower", began)
	tx := must(pool.Begin(ctx))
	must(db.AppendTx(ctx, tx, one("b")))
	errs := make(chan error, 3)
	for i := range 3 {
		go func() {
			_, err := store.Append(ctx, one(fmt.Sprint("never", i)))
			errs <- err
		}()
	}
	untilOneWaits(t, pool, "counter")
	ok(t, db.Close())
	ok(t, db.Close())
	for range 3 {
		if err := await(t, "an append", errs); !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("error %v; want ErrClosed", err)
		}
	}
	if err := await(t, "the follower", followed); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("error %v; want ErrClosed", err)
	}
	ok(t, tx.Commit(context.Background()))
	for what, err := range map[string]error{
		"head":    func() error { _, err := db.Head(ctx); return err }(),
		"page":    func() error { _, err := db.Page(ctx, eventstore.PageRequest{}); return err }(),
		"advance": db.Advance(ctx, eventstore.Move{Key: "k"}, nil),
		"check":   db.Check(ctx),
	} {
		if !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	if got := ids(t, open(t, pool, schema)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("events %v", got)
	}
}
