package durable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/shop"
)

// keeper has a shop's orders: the store, what is read of it, and the ledger that
// writes to it.
type keeper struct {
	dir     string
	log     *slog.Logger
	db      *sqlite.DB
	store   *eventstore.Store
	ledger  *Ledger
	meter   *meter
	unwatch func()
}

// open opens the store in that directory, and makes what is missing. Failed is
// called when it cannot be written to any more.
func open(ctx context.Context, dir string, log *slog.Logger, failed func(error)) (_ *keeper, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the directory of -data: %w", err)
	}
	db, err := sqlite.Open(filepath.Join(dir, "shop.db"), sqlite.Logger(log))
	if err != nil {
		return nil, err
	}
	if err := makeTables(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	k := &keeper{dir: dir, log: log, db: db, meter: newMeter()}
	k.ledger = &Ledger{meter: k.meter, failed: failed}
	k.unwatch = db.Watch(func(n eventstore.Notice) {
		if len(n.Events) > 0 {
			k.meter.commit()
		}
	})
	return k, nil
}

// attach opens the store on the shop's bus, so that its inspector shows it, and
// lets the shop take in what earlier runs have left.
func (k *keeper) attach(ctx context.Context, s *shop.Shop, screen *shop.Screen) (history, error) {
	k.store = eventstore.New(k.db, eventstore.Types(types()), eventstore.Logger(k.log),
		eventstore.OnBus(s.Signals.Bus), eventstore.Name("store"))
	k.ledger.store = k.store
	began := time.Now()
	h, err := restore(ctx, k.store, s)
	if err != nil {
		return h, err
	}
	if h.Head > 0 {
		screen.Printf("%s has %s with %s, of earlier runs: taken in within %.1f s.",
			k.dir, english.Plural(h.Orders, "invoice"), english.Plural(h.Lines, "line"), time.Since(began).Seconds())
	}
	_, err = project(k.store)
	return h, err
}

// agree waits for the read model and reports whether it, a count of all events and
// the shop, which is closed, say the same.
func (k *keeper) agree(ctx context.Context, s *shop.Shop, screen *shop.Screen) (bool, error) {
	head, err := k.store.Head(ctx)
	if err != nil {
		return false, err
	}
	if err := k.store.Wait(ctx, key, head); err != nil {
		return false, err
	}
	read, err := readModel(ctx, k.db)
	if err != nil {
		return false, err
	}
	counted, err := count(ctx, k.store, head)
	if err != nil {
		return false, err
	}
	books := s.Books.Totals()
	diff := append(prefixed("read model and shop: ", read.Diff(books)), prefixed("events and shop: ", counted.Diff(books))...)
	if len(diff) > 0 {
		screen.Printf("\nTHE STORE DOES NOT AGREE\n  %s", strings.Join(diff, "\n  "))
		return false, nil
	}
	screen.Printf("\non disk: %s of %s in %s; the shop, the read model and a count of all %s agree",
		english.Plural(read.Lines, "line"), english.Plural(read.Invoices, "invoice"), filepath.Join(k.dir, "shop.db"), english.Plural(int(head), "event"))
	return true, nil
}

func prefixed(prefix string, lines []string) []string {
	for i := range lines {
		lines[i] = prefix + lines[i]
	}
	return lines
}

// close closes what is open.
func (k *keeper) close(ctx context.Context) error {
	k.unwatch()
	var err error
	if k.store != nil {
		err = k.store.Close(ctx)
	}
	return errors.Join(err, k.db.Close())
}
