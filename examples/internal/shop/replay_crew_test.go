package shop

import (
	"errors"
	"io"
	"slices"
	"testing"
)

func TestSeveralInvoicesAtOnceAddUpToTheSame(t *testing.T) {
	path := file(t, "a.csv", []byte(header+randomRows(2000)))
	one, want, _, _, err := replayed(t, t.Context(), path, MaxSpeed)
	if err != nil {
		t.Fatal(err)
	}
	in, err := OpenInput(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s := opened(t, func(c *Config) { c.Stock, c.Ledger = EndlessStock(), NoLedger{} })
	var order []int
	r := Replay{Shop: s, Input: in, Screen: NewScreen(io.Discard, 0), Errors: io.Discard, AtOnce: 16, Known: func(v *Invoice) (bool, error) {
		order = append(order, v.Span.First)
		return false, nil
	}}
	done, err := r.Run(t.Context())
	if err != nil || done != want {
		t.Errorf("%+v, %v; want %+v", done, err, want)
	}
	closed(t, s)
	if diff := s.Books.Totals().Diff(one.Books.Totals()); diff != nil {
		t.Error(diff)
	}
	if len(order) == 0 || order[0] != 2 || !slices.IsSorted(order) {
		t.Errorf("asked about invoices that begin at the lines %v: want 2 first, and ascending", order)
	}
}

func TestWhatIsKnownIsNotPlaced(t *testing.T) {
	in, err := OpenInput(file(t, "a.csv", []byte(smallFile)))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s := opened(t, func(c *Config) { c.Stock, c.Ledger = EndlessStock(), NoLedger{} })
	unlike := errors.New("another file")
	r := Replay{Shop: s, Input: in, Screen: NewScreen(io.Discard, 0), Errors: io.Discard, Known: func(v *Invoice) (bool, error) {
		if v.Span == (Span{6, 6}) {
			return false, unlike
		}
		return v.Span == Span{2, 3}, nil
	}}
	done, err := r.Run(t.Context())
	if !errors.Is(err, unlike) || done != (Replayed{Lines: 2, Known: 2}) || s.Books.Totals().Lines != 2 {
		t.Errorf("%+v, %v", done, err)
	}
	closed(t, s)
}
