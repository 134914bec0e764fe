package eventstore_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals/eventstore"
)

// region types

// Opened and Transferred are what happens in a ledger.
type Opened struct {
	Account string
	Limit   int // what the account may be overdrawn by, in cents
}

// Transferred moves money from one account to another.
type Transferred struct {
	From, To string
	Cents    int
}

// ledgerTypes registers them.
func ledgerTypes() *eventstore.Registry {
	types := eventstore.NewRegistry()
	eventstore.Register[Opened](types, "account opened",
		eventstore.TagsOf(func(e Opened) []string { return []string{"account:" + e.Account} }))
	eventstore.Register[Transferred](types, "money transferred",
		eventstore.TagsOf(func(e Transferred) []string { return []string{"account:" + e.From, "account:" + e.To} }))
	return types
}

// endregion

// region model

// Accounts is what a decision about accounts has to know.
type Accounts map[string]Account

// Account is one of them.
type Account struct{ Cents, Limit int }

// accounts is the model of the given accounts: of the events with a tag of any
// of them.
func accounts(names ...string) eventstore.Model[Accounts] {
	var items []eventstore.Item
	for _, name := range names {
		items = append(items, eventstore.Item{Tags: []string{"account:" + name}})
	}
	return eventstore.Model[Accounts]{
		Query: eventstore.Match(items...),
		Init:  func() Accounts { return Accounts{} },
		Fold: func(all Accounts, event any) Accounts {
			switch e := event.(type) {
			case Opened:
				all[e.Account] = Account{Limit: e.Limit}
			case Transferred:
				from, to := all[e.From], all[e.To]
				from.Cents -= e.Cents
				all[e.From] = from
				to.Cents += e.Cents
				all[e.To] = to
			}
			return all
		},
	}
}

// endregion

// region decide

var errLimit = errors.New("the account would be overdrawn")

// transfer moves money, unless the account would be overdrawn. The same request
// again does nothing more.
func transfer(ctx context.Context, store *eventstore.Store, request string, t Transferred) error {
	_, err := eventstore.Decide(ctx, store, accounts(t.From, t.To), func(all Accounts) ([]any, error) {
		from, known := all[t.From]
		if _, too := all[t.To]; !known || !too {
			return nil, fmt.Errorf("%s or %s is no account", t.From, t.To)
		}
		if from.Cents+from.Limit < t.Cents {
			return nil, errLimit
		}
		return []any{eventstore.Draft{ID: request, Value: t, Meta: map[string]string{"request": request}}}, nil
	})
	return err
}

// endregion

func ExampleDecide() {
	ctx := context.Background()
	store := eventstore.New(eventstore.Memory(), eventstore.Types(ledgerTypes()))
	defer store.Close(ctx)

	open := func(a Opened) error {
		_, err := eventstore.Decide(ctx, store, accounts(a.Account), func(all Accounts) ([]any, error) {
			if _, known := all[a.Account]; known {
				return nil, nil // there is nothing to do
			}
			return []any{a}, nil
		})
		return err
	}
	fmt.Println(open(Opened{"alice", 100}), open(Opened{"bob", 0}))
	fmt.Println(transfer(ctx, store, "r1", Transferred{"alice", "bob", 70}))
	fmt.Println(transfer(ctx, store, "r2", Transferred{"alice", "bob", 70}))

	state, at, err := eventstore.Load(ctx, store, accounts("alice", "bob"))
	fmt.Println(state, at, err)
	// Output:
	// <nil> <nil>
	// <nil>
	// the account would be overdrawn
	// map[alice:{-70 100} bob:{70 0}] 3 <nil>
}
