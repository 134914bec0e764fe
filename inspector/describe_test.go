package inspector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"example.com/signals"
)

// Types that leave their secret out, each in another way, with a value and
// with a pointer as receiver.
type (
	viaString    struct{ Secret string }
	viaStringPtr struct{ Secret string }
	viaLog       struct{ Secret string }
	viaLogPtr    struct{ Secret string }
	viaJSON      struct{ Secret string }
	viaJSONPtr   struct{ Secret string }
	viaText      struct{ Secret string }
	viaFormat    struct{ Secret string }
	viaFormatPtr struct{ Secret string }
	viaError     struct{ Secret string }
	viaGo        struct{ Secret string }
	viaLogGroup  struct{ Secret string }
	viaPlain     string // the secret itself
)

func (viaString) String() string                 { return "***" }
func (*viaStringPtr) String() string             { return "***" }
func (viaLog) LogValue() slog.Value              { return slog.StringValue("***") }
func (*viaLogPtr) LogValue() slog.Value          { return slog.StringValue("***") }
func (viaJSON) MarshalJSON() ([]byte, error)     { return []byte(`"***"`), nil }
func (*viaJSONPtr) MarshalJSON() ([]byte, error) { return []byte(`"***"`), nil }
func (viaText) MarshalText() ([]byte, error)     { return []byte("***"), nil }
func (viaFormat) Format(s fmt.State, _ rune)     { fmt.Fprint(s, "***") }
func (*viaFormatPtr) Format(s fmt.State, _ rune) { fmt.Fprint(s, "***") }
func (*viaError) Error() string                  { return "***" }
func (viaGo) GoString() string                   { return "***" }
func (v viaLogGroup) LogValue() slog.Value {
	return slog.GroupValue(slog.String("user", "ann"), slog.Any("card", viaStringPtr(v)))
}
func (viaPlain) String() string { return "***" }

// holder has one in a field that is exported, and one that is not.
type holder[T any] struct {
	Open   T
	hidden T
	Both   []T
	By     map[string]*T
}

const secret = "4242-secret"

// leaksOf reports the ways of packing v in which its secret is described.
func leaksOf[T any](v T) (bad []string) {
	for name, payload := range map[string]any{
		"value": v, "pointer": &v, "field": struct{ F T }{v}, "pointer to field": &struct{ F T }{v}, "embedded": struct{ Inner holder[T] }{holder[T]{Open: v}},
		"hidden": holder[T]{hidden: v}, "slice": []T{v}, "array": [1]T{v}, "map": map[string]T{"k": v}, "slice of pointers": []*T{&v}, "interface": []any{v, &v},
		"everywhere": &holder[*holder[T]]{Open: &holder[T]{v, v, []T{v}, map[string]*T{"k": &v}}},
	} {
		if text := describe(payload); strings.Contains(text, secret) {
			bad = append(bad, name+": "+text)
		}
	}
	return bad
}

func TestSecretsThatATypeLeavesOutAreNotDescribed(t *testing.T) {
	for name, bad := range map[string][]string{
		"String": leaksOf(viaString{secret}), "String of a pointer": leaksOf(viaStringPtr{secret}),
		"LogValue": leaksOf(viaLog{secret}), "LogValue of a pointer": leaksOf(viaLogPtr{secret}), "LogValue with a group": leaksOf(viaLogGroup{secret}),
		"MarshalJSON": leaksOf(viaJSON{secret}), "MarshalJSON of a pointer": leaksOf(viaJSONPtr{secret}), "MarshalText": leaksOf(viaText{secret}),
		"Format": leaksOf(viaFormat{secret}), "Format of a pointer": leaksOf(viaFormatPtr{secret}),
		"Error": leaksOf(viaError{secret}), "GoString": leaksOf(viaGo{secret}), "a text": leaksOf(viaPlain(secret)),
	} {
		for _, b := range bad {
			t.Errorf("%s, %s", name, b)
		}
	}
	for _, c := range []struct {
		payload any
		want    string
	}{
		{struct {
			Card viaStringPtr
			Note string
		}{viaStringPtr{secret}, "gift"}, `{Card:*** Note:"gift"}`},
		{&viaLogGroup{secret}, `{user:"ann" card:***}`},
		{holder[viaPlain]{hidden: secret}, `{Open:*** hidden:(inspector.viaPlain) Both:[] By:map[]}`},
		{struct {
			User     string
			Password string `json:"-"`
		}{"ann", secret}, `{User:"ann"}`},
	} {
		if got := describe(c.payload); got != c.want {
			t.Errorf("%T: %s; want %s", c.payload, got, c.want)
		}
	}
}

// shy panics in whatever it is asked.
type shy struct{ Secret string }

func (s *shy) Error() string        { panic(s.Secret) }
func (s *shy) LogValue() slog.Value { panic(s.Secret) }

// endless returns itself, and writes without end.
type endless struct{ Secret string }

func (e endless) LogValue() slog.Value { return slog.AnyValue(map[string]endless{"me": e}) }

type verbose struct{ Secret string }

func (verbose) Format(s fmt.State, _ rune) {
	for range 1000 {
		fmt.Fprint(s, strings.Repeat("x", 1000))
	}
}

func TestMethodsThatMisbehaveShowNothingAndEndNothing(t *testing.T) {
	for _, payload := range []any{shy{secret}, &shy{secret}, []shy{{secret}}, endless{secret}, verbose{secret}, (*shy)(nil), struct{ E error }{(*shy)(nil)}} {
		if text := describe(payload); strings.Contains(text, secret) || len(text) > maxPayload+8 {
			t.Errorf("%T: %d bytes: %s", payload, len(text), cut(text, 200))
		}
	}
}

type order struct{ Card string }

func TestRedactDecidesWhatIsKept(t *testing.T) {
	bus := quietBus()
	i := open(t, bus, Payloads(5), Authorize(all), Redact(func(signal string, payload any) any {
		switch o := payload.(type) {
		case order:
			return map[string]string{"card of " + signal: o.Card[len(o.Card)-2:]}
		case string:
			panic(o)
		}
		return nil
	}))
	orders := signals.NewSync[order](signals.Name("orders"), signals.OnBus(bus))
	orders.Subscribe(func(context.Context, order) error { return errors.New("declined") })
	orders.Emit(t.Context(), order{secret})
	texts := signals.NewSync[string](signals.Name("texts"), signals.OnBus(bus))
	texts.Emit(t.Context(), secret)
	for _, path := range []string{"payloads.json?signal=orders", "payloads.json?signal=texts", "failures.json", "failures", "signal?signal=orders", "signal?signal=texts"} {
		if body := get(t, i, path); strings.Contains(body, secret) {
			t.Errorf("%s shows the secret", path)
		}
	}
	if got := getJSON[Tail](t, i, "payloads.json?signal=orders").Payloads[0].Text; got != `map["card of orders":"et"]` {
		t.Error(got)
	}
	if got := getJSON[FailureLog](t, i, "failures.json").Failures[0].Payload; got != `map["card of orders":"et"]` {
		t.Error(got)
	}
	if got := getJSON[Tail](t, i, "payloads.json?signal=texts").Payloads[0].Text; got != "(Redact panicked)" {
		t.Error(got)
	}
}

// An error that is a nil pointer panics in Error, one that lies in Is and As.
type badError struct{ text string }

func (e *badError) Error() string { return e.text }

type lyingError struct{}

func (lyingError) Error() string   { return "lies" }
func (lyingError) Is(error) bool   { panic("is") }
func (lyingError) As(any) bool     { panic("as") }
func (lyingError) Unwrap() []error { panic("unwrap") }

func TestFailuresWhoseErrorsPanicAreKept(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
	s.Subscribe(func(context.Context, int) error { return (*badError)(nil) }, signals.Key("nil"))
	s.Subscribe(func(context.Context, int) error { return lyingError{} }, signals.Key("lies"))
	s.Emit(t.Context(), 1)
	log := getJSON[FailureLog](t, i, "failures.json")
	if log.Total != 2 || len(log.Failures) != 2 || log.Failures[0].Error != "lies" || log.Failures[1].Error != "(*inspector.badError: its Error panicked)" {
		t.Errorf("%+v", log)
	}
	if d := getJSON[Diagnosis](t, i, "diagnosis.json"); d.Healthy {
		t.Error("healthy, after failures")
	}
}
