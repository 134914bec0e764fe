package eventstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/signals/eventstore"
)

// Three versions of a price, each in its Go type.
type (
	priceV1 struct{ Euros float64 }
	priceV2 struct{ Cents int }
	price   struct {
		Cents    int
		Currency string
	}
)

func priceTypes(opts ...eventstore.TypeOption) *eventstore.Registry {
	r := eventstore.NewRegistry()
	eventstore.Register[price](r, "price", append([]eventstore.TypeOption{
		eventstore.Version(3), eventstore.ReadAs("cost"),
		eventstore.UpcastFrom(2, func(p priceV2) ([]any, error) { return []any{price{p.Cents, "EUR"}}, nil }),
		eventstore.UpcastFrom(1, func(p priceV1) ([]any, error) { return []any{priceV2{int(p.Euros * 100)}}, nil }),
	}, opts...)...)
	return r
}

func stored(name string, schema int, data string) eventstore.Recorded {
	return eventstore.Recorded{Position: 7, Event: eventstore.Event{Type: name, Schema: schema, Data: []byte(data), Stream: "s"}}
}

func TestOldDataGoesThroughTheChainOfUpcasts(t *testing.T) {
	r := priceTypes()
	for _, e := range []eventstore.Recorded{
		stored("price", 3, `{"Cents":250,"Currency":"EUR"}`), stored("price", 2, `{"Cents":250}`), stored("price", 1, `{"Euros":2.5}`),
		stored("cost", 2, `{"Cents":250}`), stored("cost", 1, `{"Euros":2.5}`), stored("cost", 0, `{"Euros":2.5}`),
	} {
		values, err := r.Decode(t.Context(), e)
		if err != nil {
			t.Errorf("%s %d: %v", e.Type, e.Schema, err)
		}
		same(t, e.Type, values, []any{price{250, "EUR"}})
	}
}

// One Go type may stand for several versions: the step from each is taken once.
func TestVersionsThatShareAGoTypeAreToldApart(t *testing.T) {
	r := eventstore.NewRegistry()
	step := func(to string) func(price) ([]any, error) {
		return func(p price) ([]any, error) { p.Currency += to; return []any{p}, nil }
	}
	eventstore.Register[price](r, "price", eventstore.Version(4),
		eventstore.UpcastFrom(1, step("2")), eventstore.UpcastFrom(2, step("3")), eventstore.UpcastFrom(3, step("4")))
	for schema, want := range map[int]string{1: "234", 2: "34", 3: "4", 4: ""} {
		values, err := r.Decode(t.Context(), stored("price", schema, `{}`))
		if err != nil {
			t.Error(err)
		}
		same(t, "steps", values, []any{price{Currency: want}})
	}
}

func TestAnUpcastMayMakeSeveralValuesOrNone(t *testing.T) {
	r := eventstore.NewRegistry()
	eventstore.Register[price](r, "price", eventstore.Version(3),
		eventstore.UpcastFrom(1, func(n []int) ([]any, error) {
			var out []any
			for _, cents := range n {
				out = append(out, priceV2{cents})
			}
			return out, nil
		}),
		eventstore.UpcastFrom(2, func(p priceV2) ([]any, error) {
			return []any{price{p.Cents, "EUR"}, price{p.Cents * 2, "USD"}}, nil
		}))
	values, err := r.Decode(t.Context(), stored("price", 1, `[1,2]`))
	if err != nil {
		t.Error(err)
	}
	same(t, "values", values, []any{price{1, "EUR"}, price{2, "USD"}, price{2, "EUR"}, price{4, "USD"}})
	values, err = r.Decode(t.Context(), stored("price", 1, `[]`))
	if len(values) != 0 || err != nil {
		t.Errorf("values %v, %v; want none", values, err)
	}
}

func TestAnUpcastMayTakeTheEventAsItIsStored(t *testing.T) {
	r := priceTypes(eventstore.Version(5), eventstore.UpcastFrom(3, func(r eventstore.Recorded) ([]any, error) {
		return []any{price{int(r.Position), string(r.Data) + r.Stream}}, nil
	}), eventstore.UpcastFrom(4, func(any) ([]any, error) { return nil, nil }))
	values, err := r.Decode(t.Context(), stored("price", 3, "no JSON "))
	if err != nil {
		t.Error(err)
	}
	same(t, "values", values, []any{price{7, "no JSON s"}})
	if values, err = r.Decode(t.Context(), stored("price", 4, "null")); values != nil || err != nil {
		t.Errorf("%v, %v: want nothing of a null taken as any", values, err)
	}
}

func TestWhatCannotBeDecodedIsAnErrorThatNamesIt(t *testing.T) {
	r := priceTypes(eventstore.Version(9),
		eventstore.UpcastFrom(4, func(int) ([]any, error) { return nil, errors.New("no such price") }),
		eventstore.UpcastFrom(5, func(int) ([]any, error) { return []any{"text"}, nil }),
		eventstore.UpcastFrom(6, func(int) ([]any, error) { return []any{nil}, nil }),
		eventstore.UpcastFrom(7, func(int) ([]any, error) { return []any{deposited{}}, nil }))
	eventstore.Register[deposited](r, "deposited")
	for want, e := range map[string]eventstore.Recorded{
		`type "sold", schema 1: unknown type: register it, name it in ReadAs, or allow it with RawUnknown`: stored("sold", 1, `{}`),
		`type "price", schema 10: it is newer than version 9, which this program knows`:                    stored("price", 10, `{}`),
		`type "cost", schema 8: there is no UpcastFrom(8) for "price"`:                                     stored("cost", 8, `{}`),
		`type "price", schema 9: the data is empty, which is no JSON`:                                      stored("price", 9, ``),
		`type "price", schema 9: json: cannot unmarshal string`:                                            stored("price", 9, `{"Cents":"1"}`),
		`type "price", schema 1: json: cannot unmarshal string`:                                            stored("price", 1, `{"Euros":"1"}`),
		`type "price", schema 4: UpcastFrom(4): no such price`:                                             stored("price", 4, `1`),
		`UpcastFrom(5) returned a string, which is neither registered nor taken by an upcast of a later`:   stored("price", 5, `1`),
		`UpcastFrom(6) returned a <nil>, which is neither`:                                                 stored("price", 6, `1`),
		`UpcastFrom(7) returned a eventstore_test.deposited: register "deposited" with ReadAs("price")`:    stored("price", 7, `1`),
	} {
		values, err := r.Decode(t.Context(), e)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "eventstore: decode: event at position 7, ") || values != nil {
			t.Errorf("values %v, error %v; want %q", values, err, want)
		}
		if errors.Is(err, eventstore.ErrUnknownType) != (e.Type == "sold") {
			t.Errorf("%v: ErrUnknownType is wrong", err)
		}
	}
	if _, err := (*eventstore.Registry)(nil).Decode(t.Context(), stored("x", 1, "")); !errors.Is(err, eventstore.ErrUnknownType) {
		t.Errorf("without types: %v", err)
	}
}

func TestUnknownTypesAreRawByChoice(t *testing.T) {
	unknown := stored("sold", 3, `{}`)
	values, err := priceTypes().RawUnknown().Decode(t.Context(), unknown)
	if err != nil {
		t.Error(err)
	}
	same(t, "values", values, []any{unknown})
	if _, err := priceTypes().RawUnknown().Decode(t.Context(), stored("price", 4, `{}`)); err == nil {
		t.Error("data of a newer version was given raw")
	}
}

func TestValuesAreEncodedWithNameVersionTagsAndWhatTheDraftSays(t *testing.T) {
	r := priceTypes(eventstore.TagsOf(func(p price) []string { return []string{p.Currency} }))
	at := time.Unix(5, 0)
	e, err := r.Encode(t.Context(), eventstore.Draft{
		Value: price{1, "<EUR>"}, Stream: "s", ID: "i", Tags: []string{"t"}, Meta: map[string]string{"k": "v"}, Time: at,
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "event", e, eventstore.Event{
		Type: "price", Schema: 3, Stream: "s", ID: "i", Tags: []string{"t", "<EUR>"},
		Meta: map[string]string{"k": "v"}, Time: at, Data: []byte(`{"Cents":1,"Currency":"<EUR>"}`),
	})
	for want, v := range map[string]any{
		"the value is nil": nil,
		"unknown type: *eventstore_test.price: eventstore_test.price is registered: give the value, not a pointer": &price{},
		"unknown type: eventstore_test.priceV1: register it before New":                                            priceV1{},
	} {
		if _, err := r.Encode(t.Context(), eventstore.Draft{Value: v}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q", err, want)
		}
	}
}

// shout is a codec of one's own.
type shout struct{}

func (shout) Encode(_ context.Context, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	return []byte("!" + string(data)), err
}

func (shout) Decode(_ context.Context, data []byte, into any) error {
	return json.Unmarshal(data[1:], into)
}

func TestATypeMayHaveACodecOfItsOwn(t *testing.T) {
	r := priceTypes(eventstore.WithCodec(shout{}))
	e, err := r.Encode(t.Context(), eventstore.Draft{Value: price{1, "EUR"}})
	if err != nil || string(e.Data) != `!{"Cents":1,"Currency":"EUR"}` {
		t.Fatalf("%s, %v", e.Data, err)
	}
	for _, e := range []eventstore.Recorded{{Event: e}, stored("price", 2, `!{"Cents":1}`)} {
		values, err := r.Decode(t.Context(), e)
		if err != nil {
			t.Error(err)
		}
		same(t, "values", values, []any{price{1, "EUR"}})
	}
}
