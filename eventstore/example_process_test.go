package eventstore_test

import (
	"context"
	"fmt"

	"example.com/signals/eventstore"
)

// region process

// OrderPlaced starts a process, PaymentAsked and OrderPaid go on with it,
// ParcelSent ends it.
type (
	OrderPlaced  struct{ Order string }
	PaymentAsked struct{ Order string }
	OrderPaid    struct{ Order string }
	ParcelSent   struct{ Order string }
)

// Fulfilment is how far an order's process has come: it is made of the events,
// as everything else.
type Fulfilment struct{ Placed, Asked, Paid, Sent bool }

// fulfilment is the model of one order's process.
func fulfilment(order string) eventstore.Model[Fulfilment] {
	return eventstore.Model[Fulfilment]{
		Stream: "order-" + order,
		Fold: func(f Fulfilment, event any) Fulfilment {
			switch event.(type) {
			case OrderPlaced:
				f.Placed = true
			case PaymentAsked:
				f.Asked = true
			case OrderPaid:
				f.Paid = true
			case ParcelSent:
				f.Sent = true
			}
			return f
		},
	}
}

// proceed takes an order's process as far as it goes. Called twice, or for an
// event that it has seen, it finds nothing to do.
func proceed(ctx context.Context, store *eventstore.Store, order string) error {
	_, err := eventstore.Decide(ctx, store, fulfilment(order), func(f Fulfilment) ([]any, error) {
		switch {
		case f.Paid && !f.Sent:
			return []any{ParcelSent{order}}, nil
		case f.Placed && !f.Asked:
			return []any{PaymentAsked{order}}, nil
		}
		return nil, nil
	})
	return err
}

// endregion

// region follow

// fulfil follows the events that move a process on, until ctx ends. It may begin
// at 0 each time: what has been seen finds nothing to do.
func fulfil(ctx context.Context, store *eventstore.Store) error {
	moves := eventstore.Match(eventstore.Item{Types: []string{"order placed", "order paid"}})
	for r, err := range store.Follow(ctx, moves, 0) {
		if err != nil {
			return err
		}
		values, err := store.Types().Decode(ctx, r)
		if err != nil {
			return err
		}
		for _, v := range values {
			switch e := v.(type) {
			case OrderPlaced:
				err = proceed(ctx, store, e.Order)
			case OrderPaid:
				err = proceed(ctx, store, e.Order)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// endregion

func Example_processManager() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	types := eventstore.NewRegistry()
	eventstore.Register[OrderPlaced](types, "order placed")
	eventstore.Register[PaymentAsked](types, "payment asked")
	eventstore.Register[OrderPaid](types, "order paid")
	eventstore.Register[ParcelSent](types, "parcel sent")
	store := eventstore.New(eventstore.Memory(), eventstore.Types(types))
	defer store.Close(ctx)

	happens := func(order string, event any) error {
		_, err := eventstore.Decide(ctx, store, fulfilment(order), func(Fulfilment) ([]any, error) { return []any{event}, nil })
		return err
	}
	store.Persisted().Subscribe(func(_ context.Context, r eventstore.Recorded) error {
		fmt.Println(r.Version, r.Type)
		switch r.Type {
		case "payment asked":
			return happens("1", OrderPaid{"1"}) // the customer's bank
		case "parcel sent":
			cancel()
		}
		return nil
	})
	fmt.Println(happens("1", OrderPlaced{"1"}))
	fmt.Println(fulfil(ctx, store))
	// Output:
	// 1 order placed
	// <nil>
	// 2 payment asked
	// 3 order paid
	// 4 parcel sent
	// <nil>
}

func Example_readYourWrites() {
	ctx := context.Background()
	store := eventstore.New(eventstore.Memory(), eventstore.Types(ledgerTypes()))
	defer store.Close(ctx)
	// region read-your-writes
	stored, err := eventstore.Decide(ctx, store, accounts("carol"), func(Accounts) ([]any, error) {
		return []any{Opened{"carol", 0}}, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	written := stored[len(stored)-1].Position // give it to the client

	state, at, err := eventstore.Load(ctx, store, accounts("carol"))
	fmt.Println(state, at >= written, err) // whatever was written before Load is in it
	// endregion
	// Output:
	// map[carol:{0 0}] true <nil>
}
