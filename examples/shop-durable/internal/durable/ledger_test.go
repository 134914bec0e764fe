package durable

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/signals/examples/internal/shop"
)

// business opens a shop over the store of a directory, and returns how to close both.
func business(t *testing.T, dir string) (s *shop.Shop, k *keeper, numbers string, done func()) {
	t.Helper()
	k = opened(t, dir)
	s = shop.New(shop.Config{Stock: shop.FullShelves(1000), Ledger: k.ledger, Log: testLog(t)})
	numbers, err := k.opening(t.Context(), s, shop.NewScreen(io.Discard, 0))
	if err != nil {
		t.Fatal(err)
	}
	return s, k, numbers, func() {
		t.Helper()
		if err := errors.Join(shop.Closing(s), k.close(context.Background())); err != nil {
			t.Fatal(err)
		}
	}
}

func order(id string) shop.Order {
	return shop.Order{ID: id, Source: shop.FromAPI, Country: "France", Card: "4242424242424242", Lines: []shop.Line{shop.CatalogLine("85123A", 2)}}
}

func TestOfManyWhoCancelAnOrderOneSucceeds(t *testing.T) {
	s, _, _, done := business(t, t.TempDir())
	defer done()
	if _, err := s.Place(t.Context(), order("1")); err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			switch _, err := s.Cancel(t.Context(), "1"); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, shop.ErrAlreadyCancelled):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 8 succeeded", won.Load())
	}
	if _, err := s.Cancel(t.Context(), "2"); !errors.Is(err, shop.ErrUnknownOrder) {
		t.Errorf("an order that is not there: %v", err)
	}
	if _, err := s.Place(t.Context(), order("1")); !errors.Is(err, shop.ErrDuplicateOrder) {
		t.Errorf("a number that is taken: %v", err)
	}
}

func TestTheShopIsWhatItWasWhenItOpensAgain(t *testing.T) {
	dir := t.TempDir()
	s, k, first, done := business(t, dir)
	for _, id := range []string{"1", "2", "3"} {
		if _, err := s.Place(t.Context(), order(id)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Cancel(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.ledger.Claim(t.Context(), "2"); err != nil { // and the process is killed
		t.Fatal(err)
	}
	before := s.Books.Totals()
	done()

	s, k, second, done := business(t, dir)
	defer done()
	if diff := s.Books.Totals().Diff(before); diff != nil {
		t.Error(diff)
	}
	if first != "1-" || second != "2-" {
		t.Errorf("the numbers of the orders begin with %q and %q", first, second)
	}
	for id, cancelled := range map[string]bool{"1": true, "2": false, "3": false} {
		e, err := s.Ledger.Find(t.Context(), id)
		if err != nil || e.Cancelled != cancelled || len(e.Order.Lines) != 1 || e.Order.Lines[0].Quantity != 2 || e.Order.Card != "" || e.Order.Receipt == "" {
			t.Errorf("order %s: %+v, %v", id, e, err)
		}
	}
	// What was cut short can be asked for again.
	if _, err := s.Cancel(t.Context(), "2"); err != nil {
		t.Error(err)
	}
	if _, err := s.Cancel(t.Context(), "1"); !errors.Is(err, shop.ErrAlreadyCancelled) {
		t.Errorf("cancelled before: %v", err)
	}
	if err := shop.Closing(s); err != nil {
		t.Fatal(err)
	}
	if agreed, err := k.agree(t.Context(), s, shop.NewScreen(io.Discard, 0)); !agreed || err != nil {
		t.Errorf("%t, %v", agreed, err)
	}
}
