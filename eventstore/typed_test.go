package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"example.com/signals/eventstore"
)

// The types of the tests of the typed layer: a bank.
type (
	deposited struct {
		Account string
		Cents   int
	}
	withdrawn struct {
		Account string
		Cents   int
	}
	balance struct {
		Cents  int
		Events int
		Odd    []string // what was neither
	}
)

func bank() *eventstore.Registry {
	r := eventstore.NewRegistry()
	eventstore.Register[deposited](r, "deposited", eventstore.TagsOf(func(e deposited) []string { return []string{"account:" + e.Account} }))
	eventstore.Register[withdrawn](r, "withdrawn", eventstore.TagsOf(func(e withdrawn) []string { return []string{"account:" + e.Account} }))
	return r
}

func balanceOf(account string) eventstore.Model[balance] {
	return eventstore.Model[balance]{
		Query: eventstore.Match(eventstore.Item{Tags: []string{"account:" + account}}),
		Fold:  foldBalance,
	}
}

func foldBalance(b balance, event any) balance {
	b.Events++
	switch e := event.(type) {
	case deposited:
		b.Cents += e.Cents
	case withdrawn:
		b.Cents -= e.Cents
	default:
		b.Odd = append(b.Odd, fmt.Sprintf("%T", event))
	}
	return b
}

func bankStore(opts ...eventstore.Option) *eventstore.Store {
	return eventstore.New(eventstore.Memory(), append(opts, eventstore.Types(bank()))...)
}

// record appends values with Decide, whatever the state is.
func record(t testing.TB, s *eventstore.Store, values ...any) []eventstore.Recorded {
	t.Helper()
	nothing := eventstore.Match(eventstore.Item{Types: []string{"nothing"}})
	m := eventstore.Model[struct{}]{Stream: "all", Query: nothing, Fold: func(s struct{}, _ any) struct{} { return s }}
	stored, err := eventstore.Decide(t.Context(), s, m, func(struct{}) ([]any, error) { return values, nil })
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func load[S any](t testing.TB, s *eventstore.Store, m eventstore.Model[S]) S {
	t.Helper()
	state, _, err := eventstore.Load(t.Context(), s, m)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// same compares deeply, and prints what differs.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// panics returns what fn panics with, "" if it does not.
func panics(fn func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	fn()
	return ""
}

// wraps is a backend with a hook in each way in. It has the snapshots and keys of
// the one inside.
type wraps struct {
	eventstore.Backend
	eventstore.Snapshots
	eventstore.KeyStore
	append func(context.Context, eventstore.Batch) (eventstore.Appended, error)
	page   func(context.Context, eventstore.PageRequest) (eventstore.Page, error)
	head   func(context.Context) (eventstore.Position, error)
}

func wrap() *wraps {
	b := eventstore.Memory()
	return &wraps{
		Backend: b, Snapshots: b.(eventstore.Snapshots), KeyStore: b.(eventstore.KeyStore),
		append: b.Append, page: b.Page, head: b.Head,
	}
}

func (w *wraps) Append(ctx context.Context, b eventstore.Batch) (eventstore.Appended, error) {
	return w.append(ctx, b)
}

func (w *wraps) Page(ctx context.Context, r eventstore.PageRequest) (eventstore.Page, error) {
	return w.page(ctx, r)
}

func (w *wraps) Head(ctx context.Context) (eventstore.Position, error) { return w.head(ctx) }

var errFunds = errors.New("not enough money")

// withdraw decides to withdraw, if there is enough.
func withdraw(account string, cents int) func(balance) ([]any, error) {
	return func(b balance) ([]any, error) {
		if b.Cents < cents {
			return nil, errFunds
		}
		return []any{withdrawn{account, cents}}, nil
	}
}
