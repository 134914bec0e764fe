package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"time"

	"example.com/signals/eventstore"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// harness is a test, its backend and a store over it.
type harness struct {
	*testing.T
	ctx     context.Context // ends when patience does
	backend eventstore.Backend
	store   *eventstore.Store
}

func newHarness(t *testing.T, open func(t *testing.T) eventstore.Backend) *harness {
	t.Helper()
	b := open(t)
	h := &harness{T: t, backend: b, store: eventstore.New(b, eventstore.Logger(slog.New(slog.DiscardHandler)))}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	h.ctx = ctx
	t.Cleanup(func() {
		cancel()
		h.ok(h.store.Close(context.Background()))
	})
	return h
}

// ok ends the test if there is an error.
func (h *harness) ok(err error) {
	h.Helper()
	h.check(err == nil, "unexpected error: %v", err)
}

// check ends the test if the statement is not true.
func (h *harness) check(holds bool, format string, args ...any) {
	h.Helper()
	if !holds {
		h.Fatalf(format, args...)
	}
}

// is checks that the error wraps that one.
func (h *harness) is(err, want error) {
	h.Helper()
	h.check(errors.Is(err, want), "error %v; want one that wraps %v", err, want)
}

// equal compares deeply, and prints what differs.
func equal[T any](h *harness, what string, got, want T) {
	h.Helper()
	h.check(reflect.DeepEqual(got, want), "%s:\n got %+v\nwant %+v", what, got, want)
}

// append appends and must succeed.
func (h *harness) append(events ...eventstore.Event) []eventstore.Recorded {
	h.Helper()
	stored, err := h.store.Append(h.ctx, events)
	h.ok(err)
	return stored
}

// conflict appends, which must end in a conflict.
func (h *harness) conflict(events []eventstore.Event, conds ...eventstore.Condition) eventstore.ConflictError {
	h.Helper()
	before := h.head()
	stored, err := h.store.Append(h.ctx, events, conds...)
	conflict, ok := errors.AsType[*eventstore.ConflictError](err)
	h.check(ok, "error %v; want a *ConflictError", err)
	equal(h, "what a conflict stored", stored, nil)
	equal(h, "head after a conflict", h.head(), before)
	return *conflict
}

func (h *harness) head() eventstore.Position {
	h.Helper()
	head, err := h.store.Head(h.ctx)
	h.ok(err)
	return head
}

// all collects what Read returns, and must see no error.
func (h *harness) all(q eventstore.Query, opts ...eventstore.ReadOption) []eventstore.Recorded {
	h.Helper()
	events, err := collect(h.store.Read(h.ctx, q, opts...))
	h.ok(err)
	return events
}

func collect(seq iter.Seq2[eventstore.Recorded, error]) (events []eventstore.Recorded, err error) {
	for r, err := range seq {
		if err != nil {
			return events, err
		}
		events = append(events, r)
	}
	return events, nil
}

// fill appends n events, in batches, of types A and B, in streams s0 to s6,
// with tags t0 to t4 and even or odd.
func (h *harness) fill(n int) []eventstore.Recorded {
	h.Helper()
	var all []eventstore.Recorded
	for batch := range slices.Chunk(events(n), 50) {
		all = append(all, h.append(batch...)...)
	}
	return all
}

func events(n int) []eventstore.Event {
	out := make([]eventstore.Event, n)
	for i := range out {
		out[i] = eventstore.Event{
			Type: []string{"A", "B"}[i/3%2], Stream: fmt.Sprintf("s%d", i%7),
			Tags: []string{fmt.Sprintf("t%d", i%5), []string{"even", "odd"}[i%2]},
			Data: []byte(fmt.Sprint(i)),
		}
	}
	return out
}

// event returns an event of a type, in a stream, with tags.
func event(kind, stream string, tags ...string) eventstore.Event {
	return eventstore.Event{Type: kind, Stream: stream, Tags: tags, Data: []byte(`{"of":"` + kind + `"}`)}
}

func one(kind, stream string, tags ...string) []eventstore.Event {
	return []eventstore.Event{event(kind, stream, tags...)}
}

// positions returns those of the events.
func positions(events []eventstore.Recorded) []eventstore.Position {
	out := make([]eventstore.Position, len(events))
	for i, r := range events {
		out[i] = r.Position
	}
	return out
}

// await waits for a value or the closing of the channel.
func await[T any](h *harness, what string, c <-chan T) (v T) {
	h.Helper()
	select {
	case v = <-c:
	case <-h.ctx.Done():
		h.Fatalf("still waiting: %s", what)
	}
	return v
}
