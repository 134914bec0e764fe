package eventstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/signals/eventstore"
)

func TestLoadFoldsWhatTheQueryMeans(t *testing.T) {
	s := bankStore()
	record(t, s, deposited{"a", 100}, deposited{"b", 7}, withdrawn{"a", 30})
	b, at, err := eventstore.Load(t.Context(), s, balanceOf("a"))
	if err != nil || at != 3 {
		t.Errorf("position %d, %v", at, err)
	}
	same(t, "balance", b, balance{Cents: 70, Events: 2})
	m := balanceOf("a")
	m.Init = func() balance { return balance{Cents: 1000} }
	same(t, "from another beginning", load(t, s, m), balance{Cents: 1070, Events: 2})
	same(t, "of a stream", load(t, s, eventstore.Model[balance]{Stream: "all", Fold: foldBalance}), balance{Cents: 77, Events: 3})
	b, at, err = eventstore.Load(t.Context(), bankStore(), balanceOf("a"))
	if at != 0 || err != nil {
		t.Errorf("of an empty store: position %d, %v", at, err)
	}
	same(t, "of an empty store", b, balance{})
}

func TestLoadRefusesWhatMakesNoSense(t *testing.T) {
	s := bankStore()
	record(t, s, deposited{"a", 1})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for want, m := range map[string]eventstore.Model[balance]{
		"the Model has neither Query nor Stream":   {Fold: foldBalance},
		"the Model has no Fold":                    {Stream: "all"},
		"Match without items":                      {Query: eventstore.Match(), Stream: "all", Fold: foldBalance},
		"Every -1: want 1 or more":                 {Stream: "all", Fold: foldBalance, Snapshots: eventstore.SnapshotPolicy{Every: -1}},
		"Version -1: want 1 or more":               {Stream: "all", Fold: foldBalance, Snapshots: eventstore.SnapshotPolicy{Every: 1, Version: -1}},
		"SnapshotPolicy: Name \"\\xff\": want UTF": {Stream: "all", Fold: foldBalance, Snapshots: eventstore.SnapshotPolicy{Every: 1, Name: "\xff"}},
		"context canceled":                         {Stream: "all", Fold: foldBalance},
	} {
		ctx := t.Context()
		if want == "context canceled" {
			ctx = ended
		}
		if _, _, err := eventstore.Load(ctx, s, m); err == nil || !strings.HasPrefix(err.Error(), "eventstore: load: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q", err, want)
		}
		if _, err := eventstore.Decide(ctx, s, m, func(balance) ([]any, error) { return nil, nil }); err == nil || !strings.HasPrefix(err.Error(), "eventstore: decide: ") {
			t.Errorf("decide: error %v", err)
		}
	}
	if _, _, err := eventstore.Load(t.Context(), eventstore.New(s.Backend()), balanceOf("a")); !errors.Is(err, eventstore.ErrUnknownType) {
		t.Errorf("without types: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, _, err := eventstore.Load(t.Context(), s, balanceOf("a")); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestFoldsGetUnknownTypesAsTheyAreStored(t *testing.T) {
	s := eventstore.New(eventstore.Memory(), eventstore.Types(bank().RawUnknown()))
	record(t, s, deposited{"a", 1}, eventstore.Event{Type: "strange", Tags: []string{"account:a"}})
	same(t, "balance", load(t, s, balanceOf("a")), balance{Cents: 1, Events: 2, Odd: []string{"eventstore.Recorded"}})
}
