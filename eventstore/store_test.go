package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"example.com/signals"
	"example.com/signals/eventstore"
)

// one is a batch of one event of that type.
func one(kind string) []eventstore.Event { return []eventstore.Event{{Type: kind}} }

func TestFailingListenersOfPersistedDoNotUndoTheAppend(t *testing.T) {
	store := eventstore.New(eventstore.Memory())
	boom := errors.New("boom")
	var calls []string
	store.Persisted().Subscribe(func(_ context.Context, r eventstore.Recorded) error {
		calls = append(calls, "first "+r.Type)
		return boom
	})
	store.Persisted().Subscribe(func(_ context.Context, r eventstore.Recorded) error {
		calls = append(calls, "second "+r.Type)
		panic("second")
	})
	stored, err := store.Append(t.Context(), []eventstore.Event{{Type: "a"}, {Type: "b"}})
	persisted, ok := errors.AsType[*eventstore.PersistedError](err)
	if !ok || !errors.Is(err, boom) || len(stored) != 2 {
		t.Fatalf("%d stored, error %v", len(stored), err)
	}
	if p, ok := errors.AsType[*signals.PanicError](persisted.Err); !ok || p.Value != "second" {
		t.Errorf("the panic is not in %v", err)
	}
	if !strings.HasPrefix(err.Error(), "eventstore: the events are stored, but listeners of Persisted failed: signals: listener 0") {
		t.Errorf("error %q", err)
	}
	if want := []string{"first a", "second a", "first b", "second b"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q; want %q", calls, want)
	}
	if head, _ := store.Head(t.Context()); head != 2 {
		t.Errorf("head %d", head)
	}
}

type badError struct{}

func (badError) Error() string { panic("no text") }

func TestAPersistedErrorWhoseTextPanicsCanBePrinted(t *testing.T) {
	store := eventstore.New(eventstore.Memory())
	store.Persisted().Subscribe(func(context.Context, eventstore.Recorded) error { return badError{} })
	_, err := store.Append(t.Context(), one("a"))
	if got, want := err.Error(), "whose Error method panics"; !strings.Contains(got, want) {
		t.Errorf("error %q does not say %q", got, want)
	}
}

func TestListenersOfPersistedRunWhenTheContextHasEnded(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	store := eventstore.New(cancels{eventstore.Memory(), cancel})
	ran := false
	store.Persisted().Subscribe(func(ctx context.Context, _ eventstore.Recorded) error {
		ran = ctx.Value(key{}) == "value" && ctx.Err() == nil
		return nil
	})
	if stored, err := store.Append(ctx, one("a")); err != nil || len(stored) != 1 || !ran {
		t.Errorf("%d stored, error %v, ran %v", len(stored), err, ran)
	}
}

// cancels is a backend that ends its caller's context in the commit.
type cancels struct {
	eventstore.Backend
	cancel func()
}

func (c cancels) Append(ctx context.Context, b eventstore.Batch) (eventstore.Appended, error) {
	done, err := c.Backend.Append(ctx, b)
	c.cancel()
	return done, err
}

// broken is a backend that answers everything with an error.
type broken struct {
	eventstore.Backend
	err error
}

func (b broken) Append(context.Context, eventstore.Batch) (eventstore.Appended, error) {
	return eventstore.Appended{}, b.err
}
func (b broken) Page(context.Context, eventstore.PageRequest) (eventstore.Page, error) {
	return eventstore.Page{}, b.err
}
func (b broken) Head(context.Context) (eventstore.Position, error) { return 0, b.err }
func (b broken) Identity(context.Context) (string, error)          { return "", b.err }

func TestErrorsOfTheBackendNameTheOperation(t *testing.T) {
	cause := fmt.Errorf("disk: %w", eventstore.ErrBroken)
	store := eventstore.New(broken{eventstore.Memory(), cause})
	_, appending := store.Append(t.Context(), one("a"))
	_, head := store.Head(t.Context())
	_, identity := store.Identity(t.Context())
	var reading, following error
	for _, reading = range store.Read(t.Context(), eventstore.All()) {
	}
	for _, following = range store.Follow(t.Context(), eventstore.All(), 0) {
	}
	for op, err := range map[string]error{"append": appending, "head": head, "identity": identity, "read": reading, "follow": following} {
		if want := "eventstore: " + op + ": disk: broken by"; !errors.Is(err, eventstore.ErrBroken) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v; want %s", err, want)
		}
	}
}

func TestANilContextIsBackground(t *testing.T) {
	store := eventstore.New(eventstore.Memory())
	var none context.Context
	if _, err := store.Append(none, one("a")); err != nil {
		t.Fatal(err)
	}
	for r, err := range store.Read(none, eventstore.All()) {
		if err != nil || r.Position != 1 {
			t.Fatal(r, err)
		}
	}
	for r, err := range store.Follow(none, eventstore.All(), 0) {
		if err != nil || r.Position != 1 {
			t.Fatal(r, err)
		}
		break
	}
	head, err := store.Head(none)
	if _, failed := store.Identity(none); head != 1 || err != nil || failed != nil {
		t.Fatal(head, err, failed)
	}
}

func TestAStoreIsOnItsBusUntilItIsClosed(t *testing.T) {
	bus := signals.NewBus()
	var out bytes.Buffer
	memory := eventstore.Memory()
	store := eventstore.New(memory, eventstore.OnBus(bus), eventstore.Name("orders"), eventstore.Logger(slog.New(slog.NewTextHandler(&out, nil))))
	if store.Backend() != memory {
		t.Error("Backend is another one")
	}
	if s, ok := signals.Lookup[eventstore.Recorded](bus, "orders.persisted"); !ok || s != signals.Signal[eventstore.Recorded](store.Persisted()) {
		t.Fatalf("on the bus: %v", bus.Signals())
	}
	if _, err := store.Append(t.Context(), one("a")); err != nil {
		t.Fatal(err)
	}
	if stats := bus.Stats()[0]; stats.Emissions != 1 {
		t.Errorf("emissions: %d", stats.Emissions)
	}
	for range 2 {
		if err := store.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if left := bus.Signals(); len(left) > 0 {
		t.Errorf("left on the bus: %v", left)
	}
	if err := eventstore.New(memory, eventstore.OnBus(bus), eventstore.Name("orders")).Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNonsenseInConstructionPanics(t *testing.T) {
	for want, fn := range map[string]func(){
		"New: the Backend is nil": func() { eventstore.New(nil) },
		"an Option is nil":        func() { eventstore.New(eventstore.Memory(), nil) },
		`Name("")`:                func() { eventstore.Name("") },
		"OnBus(nil)":              func() { eventstore.OnBus(nil) },
		"Logger(nil)":             func() { eventstore.Logger(nil) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "eventstore: ") || !strings.Contains(got, want) {
					t.Errorf("panic %q; want one that says %q", got, want)
				}
			}()
			fn()
		}()
	}
}

func TestDuplicatesSayWhatIsDifferent(t *testing.T) {
	store := eventstore.New(eventstore.Memory())
	first := eventstore.Event{ID: "x", Type: "a"}
	if _, err := store.Append(t.Context(), []eventstore.Event{first}); err != nil {
		t.Fatal(err)
	}
	for want, batch := range map[string][]eventstore.Event{
		`eventstore: duplicate event "x": stored at position 1 already, and with other type`:                           {{ID: "x", Type: "b"}},
		`eventstore: duplicate event "x": stored at position 1 already, and event "y" of the same batch is not stored`: {first, {ID: "y", Type: "a"}},
		`eventstore: duplicate event "y": it is twice in one batch`:                                                    {{ID: "y", Type: "a"}, {ID: "y", Type: "a"}},
	} {
		if _, err := store.Append(t.Context(), batch); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
