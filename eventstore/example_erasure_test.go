package eventstore_test

import (
	"context"
	"fmt"

	"example.com/signals/eventstore"
)

// Joined says who a customer is.
type Joined struct{ Customer, Name, Mail string }

// Ordered says that a customer ordered something.
type Ordered struct{ Customer, What string }

func ExampleStore_Forget() {
	ctx := context.Background()
	// region register
	backend := eventstore.Memory()
	personal := eventstore.Encrypted(eventstore.JSON(), backend.(eventstore.KeyStore),
		func(v any) string { return v.(Joined).Customer })
	types := eventstore.NewRegistry()
	eventstore.Register[Joined](types, "customer joined", eventstore.WithCodec(personal))
	eventstore.Register[Ordered](types, "ordered")
	store := eventstore.New(backend, eventstore.Types(types))
	// endregion
	defer store.Close(ctx)

	// region fold
	customers := eventstore.Model[[]string]{
		Query:  eventstore.All(),
		Stream: "shop",
		Fold: func(lines []string, event any) []string {
			switch e := event.(type) {
			case Joined:
				return append(lines, e.Name+" joined")
			case Ordered:
				return append(lines, e.Customer+" ordered "+e.What)
			case eventstore.Erased:
				return append(lines, fmt.Sprintf("%s, erased", e.Type))
			}
			return lines
		},
	}
	// endregion
	_, err := eventstore.Decide(ctx, store, customers, func([]string) ([]any, error) {
		return []any{Joined{"c-7", "Ann", "ann@example.com"}, Ordered{"c-7", "tea"}}, nil
	})
	fmt.Println(err)
	lines, _, err := eventstore.Load(ctx, store, customers)
	fmt.Printf("%q %v\n", lines, err)

	// region forget
	if err := store.Forget(ctx, "c-7"); err != nil {
		fmt.Println("call it again:", err)
	}
	// endregion
	lines, at, err := eventstore.Load(ctx, store, customers)
	fmt.Printf("%q %d %v\n", lines, at, err)
	// Output:
	// <nil>
	// ["Ann joined" "c-7 ordered tea"] <nil>
	// ["customer joined, erased" "c-7 ordered tea"] 2 <nil>
}
