package eventstore_test

import (
	"context"
	"fmt"
	"strings"

	"example.com/signals/eventstore"
)

// region upcast

// Address is what is stored today, as version 3.
type Address struct{ Street, City, Country string }

// addressV2 had no country, addressV1 was one line.
type addressV2 struct{ Street, City string }
type addressV1 struct{ Line string }

// addressTypes registers Address with all that it was once. It was called
// "moved" at first.
func addressTypes() *eventstore.Registry {
	types := eventstore.NewRegistry()
	eventstore.Register[Address](types, "address changed",
		eventstore.Version(3),
		eventstore.ReadAs("moved"),
		eventstore.UpcastFrom(1, func(old addressV1) ([]any, error) {
			street, city, _ := strings.Cut(old.Line, ", ")
			return []any{addressV2{street, city}}, nil
		}),
		eventstore.UpcastFrom(2, func(old addressV2) ([]any, error) {
			return []any{Address{old.Street, old.City, "DE"}}, nil
		}))
	return types
}

// endregion

func ExampleUpcastFrom() {
	ctx := context.Background()
	backend := eventstore.Memory()
	before := eventstore.New(backend) // an older program
	if _, err := before.Append(ctx, []eventstore.Event{{Type: "moved", Schema: 1, Data: []byte(`{"Line":"Am Markt 1, Jena"}`)}}); err != nil {
		fmt.Println(err)
	}

	store := eventstore.New(backend, eventstore.Types(addressTypes()))
	defer store.Close(ctx)
	for r, err := range store.Read(ctx, eventstore.Match(eventstore.Item{Types: []string{"address changed"}})) {
		if err != nil {
			fmt.Println(err)
			break
		}
		values, err := store.Types().Decode(ctx, r)
		fmt.Printf("%s: %+v %v\n", r.Type, values, err)
	}
	// Output:
	// moved: [{Street:Am Markt 1 City:Jena Country:DE}] <nil>
}
