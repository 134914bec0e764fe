package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/inspector"
)

// storeWithTrouble serves an inspector of a store with one durable listener that
// stopped, one with a dead letter and one that is well.
func storeWithTrouble(t *testing.T) (url string) {
	t.Helper()
	store := eventstore.New(eventstore.Memory(), eventstore.Name("orders"), eventstore.Logger(slog.New(slog.DiscardHandler)))
	t.Cleanup(func() {
		if err := store.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	insp := inspector.New(quietBus(), inspector.Stores(store))
	t.Cleanup(insp.Close)
	server := httptest.NewServer(insp)
	t.Cleanup(server.Close)
	if _, err := store.Append(t.Context(), []eventstore.Event{{Type: "placed"}}); err != nil {
		t.Fatal(err)
	}
	fails := func(context.Context, eventstore.Recorded) error { return errors.New("no route\x1b[2J") }
	listen := func(key string, fn func(context.Context, eventstore.Recorded) error, opts ...eventstore.ListenOption) {
		if _, err := store.Listen(key, eventstore.All(), fn, opts...); err != nil {
			t.Fatal(err)
		}
	}
	listen("books", fails, eventstore.Attempts(1), eventstore.StopOnFailure())
	listen("mail", fails, eventstore.Attempts(1))
	listen("fine", func(context.Context, eventstore.Recorded) error { return nil })
	eventually(t, "the listeners failed", func() bool {
		all, err := store.Checkpoints(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, c := range all {
			if c.Stopped != "" {
				sum++
			}
			sum += c.Dead
		}
		return sum == 2
	})
	for _, key := range []string{"mail", "fine"} {
		if err := store.Wait(t.Context(), key, 1); err != nil {
			t.Fatal(err)
		}
	}
	return server.URL
}

func TestTopAndDoctorTellOfStores(t *testing.T) {
	url := storeWithTrouble(t)
	r := command(t, "doctor", "-wait", "1s", url)
	for _, want := range []string{
		`error    durable listener "books" of store "orders" stopped after position 0, and 1 event waits: eventstore: listener "books": event at position 1 failed 1 time: no route`,
		`warning  durable listener "mail" of store "orders" has 1 dead letter; the first one, at position 1: no route`,
		"Store.Redeliver",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("doctor does not say %s:\n%s", want, r.stdout)
		}
	}
	if r.code != exitWrong || strings.Contains(r.stdout, "\x1b[2J") {
		t.Errorf("doctor: %+v", r)
	}
	r = command(t, "top", "-n", "1", url)
	for _, want := range []string{
		"store orders: failing, head 1, 0/s, 3 durable listeners, 1 dead letter\n",
		"  books: failing, stopped, at 0, 1 behind; eventstore: listener",
		"  mail: dropping, working, at 1, 0 behind, 1 dead letter\n",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("top does not say %s:\n%s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "fine") || strings.Contains(r.stdout, "\x1b[2J") || r.code != exitOK {
		t.Errorf("top: %+v", r)
	}
	if r = command(t, "top", "-n", "1", "-listeners", "all", url); !strings.Contains(r.stdout, "  fine: ok, working, at 1, 0 behind\n") {
		t.Errorf("top with all listeners:\n%s", r.stdout)
	}
}

// Stores take at most a third of the screen, and what is below moves down by as much.
func TestTheScreenHasRoomForStoresAndSignals(t *testing.T) {
	h := newHarness(t)
	plain := h.m.body()
	stores := make([]inspector.StoreInfo, 30)
	for k := range stores {
		stores[k] = inspector.StoreInfo{Name: "orders", Status: inspector.StatusOK, Head: uint64(k)}
	}
	for _, c := range []struct{ stores, lines int }{{1, 1}, {30, 8}} {
		h.m.last.Stores = stores[:c.stores]
		lines := h.m.lines()
		at := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "SIGNAL") })
		if at != 3+c.lines || !strings.Contains(lines[3], "store orders: ok, head 0") {
			t.Errorf("%d stores: the table begins at line %d, want %d:\n%s", c.stores, at, 3+c.lines, strings.Join(lines, "\n"))
		}
		if got := h.m.body(); got != plain-c.lines || len(lines) != h.m.height {
			t.Errorf("%d stores: %d lines for the signals, %d in all, want %d and %d", c.stores, got, len(lines), plain-c.lines, h.m.height)
		}
	}
}
