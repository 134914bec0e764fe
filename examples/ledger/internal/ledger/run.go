package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals/eventstore"
)

// names are those of the customers, who are numbered from 1.
var names = []string{"Ada", "Blaise", "Carl", "Dorothy", "Emmy", "Fritz", "Grace", "Henri"}

// Config is what Run is to do.
type Config struct {
	Transfers int           // that all customers together ask for, with those of earlier runs
	Answered  func(Request) // called when a request has its answer on the disk, by several goroutines; or nil
}

// Summary is what came of it.
type Summary struct {
	Count
	Books       Books
	Before      int  // requests that earlier runs have answered
	Snapshots   int  // that were taken
	Letters     int  // to those whose request was refused
	Interrupted bool // by the end of the context; the rest is for another run
}

// busy bounds how long a run waits for one that has the ledger. The lease of a
// process that was killed ends when the server notices.
const busy = 5 * time.Second

// Run opens a bank, or goes on where the last run has ended, whatever ended it;
// answers the customers' requests; lets the last customer leave; and checks that
// the events, the books and rebuilt books agree. When ctx ends, what was begun
// is finished and checked, and the rest is left to another run.
func Run(ctx context.Context, db *Database, config Config) (s Summary, err error) {
	finish := context.WithoutCancel(ctx)
	waiting, cancel := context.WithTimeout(ctx, busy)
	defer cancel()
	// It spares two programs each other's conflicts and rebuilds. The answers are
	// right without it.
	lease, err := db.backend.Lease(waiting, "ledger")
	if err != nil {
		if waiting.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("ledger: another program is at work on it: %w", err)
		}
		return s, err
	}
	defer lease.Release()
	if err := makeTables(finish, db); err != nil {
		return s, err
	}
	if err := found(finish, db); err != nil {
		return s, err
	}
	store := eventstore.New(db.backend, eventstore.Types(today(db.backend)))
	defer func() { err = errors.Join(err, store.Close(finish)) }()
	var snapshots atomic.Int64
	store.SnapshotTaken().Subscribe(func(context.Context, eventstore.Snapshot) error {
		snapshots.Add(1)
		return nil
	})
	books, err := keep(db, store, current)
	if err != nil {
		return s, err
	}
	if s.Before, err = serve(ctx, store, books, config); err != nil {
		return s, err
	}
	if s.Interrupted = ctx.Err() != nil; !s.Interrupted {
		if err := Leave(finish, store, strconv.Itoa(len(names))); err != nil {
			return s, err
		}
	}
	if err := s.check(finish, db, store); err != nil {
		return s, err
	}
	err = store.SnapshotTaken().Drain(finish)
	s.Snapshots = int(snapshots.Load())
	return s, err
}

// found lets the older program make the customers.
func found(ctx context.Context, db *Database) (err error) {
	old := eventstore.New(db.backend, eventstore.Types(formerly(db.backend)))
	defer func() { err = errors.Join(err, old.Close(ctx)) }()
	for i, name := range names {
		if err := join(ctx, old, strconv.Itoa(i+1), name); err != nil {
			return err
		}
	}
	return nil
}

// serve answers the requests of all customers, who do not wait for each other,
// until ctx ends, or nobody keeps the books any more. It returns how many had an
// answer before.
func serve(ctx context.Context, store *eventstore.Store, books *eventstore.Listener, config Config) (before int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-books.Done():
			cancel(books.Err())
		case <-ctx.Done():
		}
	}()
	finish := context.WithoutCancel(ctx)
	var all sync.WaitGroup
	for i := range names {
		customer := strconv.Itoa(i + 1)
		state, _, err := eventstore.Load(finish, store, model(customer))
		if err != nil {
			cancel(err)
			break
		}
		before += state.Answered
		share := config.Transfers / len(names)
		if i < config.Transfers%len(names) {
			share++
		}
		all.Go(func() {
			for n := state.Answered + 1; n <= share && ctx.Err() == nil; n++ {
				r := ask(i, n)
				if err := Transfer(finish, store, r); err != nil {
					cancel(err)
				} else if config.Answered != nil {
					config.Answered(r)
				}
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, ctx.Err()) {
		return before, err
	}
	return before, nil
}

// ask invents the n-th request of a customer, always the same: most pay somebody
// else, some move money to their other account.
func ask(i, n int) Request {
	random := rand.New(rand.NewPCG(uint64(i), uint64(n)))
	kinds := []string{"-checking", "-savings"}
	random.Shuffle(2, func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	customer := strconv.Itoa(i + 1)
	r := Request{By: customer, Number: n, From: customer + kinds[0], To: customer + kinds[1], Cents: 1 + random.Int64N(50_000)}
	if random.IntN(5) > 0 {
		other := (i + 1 + random.IntN(len(names)-1)) % len(names)
		r.To = strconv.Itoa(other+1) + kinds[random.IntN(2)]
	}
	return r
}

// check counts the events again, and compares the books with them.
func (s *Summary) check(ctx context.Context, db *Database, store *eventstore.Store) error {
	head, err := store.Head(ctx)
	if err != nil {
		return err
	}
	if s.Count, err = count(ctx, store, head); err != nil {
		return err
	}
	if err := store.Wait(ctx, current, head); err != nil {
		return err
	}
	if s.Books, s.Letters, err = read(ctx, db, current); err != nil {
		return err
	}
	again, err := rebuild(ctx, db, store, head)
	if err != nil {
		return err
	}
	if s.Letters != s.Refused {
		return fmt.Errorf("ledger: %s about %s", plural(s.Letters, "letter"), plural(s.Refused, "refusal"))
	}
	return errors.Join(s.compare(current, s.Books), s.compare(rebuilt, again))
}
