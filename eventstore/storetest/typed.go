package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"example.com/signals/eventstore"
)

// The types of the typed cases: seats that are booked, whose events had another
// name and less in them once.
type (
	seatBooked struct {
		Seat int
		By   string
	}
	seatFreed  struct{ Seat int }
	seatBookV1 struct{ Seat int }
	seats      map[int]string
)

func seatTag(seat int) []string { return []string{fmt.Sprintf("seat:%d", seat)} }

// typed returns a store with types over the harness's backend.
func (h *harness) typed(opts ...eventstore.Option) *eventstore.Store {
	h.Helper()
	return h.typedOver(h.backend, opts...)
}

// typedOver is typed over another backend.
func (h *harness) typedOver(b eventstore.Backend, opts ...eventstore.Option) *eventstore.Store {
	h.Helper()
	codec := eventstore.JSON()
	if keys, ok := b.(eventstore.KeyStore); ok {
		codec = eventstore.Encrypted(codec, keys, func(v any) string { return v.(seatBooked).By })
	}
	r := eventstore.NewRegistry()
	eventstore.Register[seatBooked](r, "seat booked", eventstore.Version(2), eventstore.ReadAs("booking"), eventstore.WithCodec(codec),
		eventstore.TagsOf(func(e seatBooked) []string { return seatTag(e.Seat) }),
		eventstore.UpcastFrom(1, func(r eventstore.Recorded) ([]any, error) {
			var old seatBookV1
			if err := eventstore.JSON().Decode(context.Background(), r.Data, &old); err != nil {
				return nil, err
			}
			return []any{seatBooked{old.Seat, "somebody"}}, nil
		}))
	eventstore.Register[seatFreed](r, "seat freed", eventstore.TagsOf(func(e seatFreed) []string { return seatTag(e.Seat) }))
	s := eventstore.New(b, append([]eventstore.Option{eventstore.Types(r), eventstore.Logger(slog.New(slog.DiscardHandler))}, opts...)...)
	h.Cleanup(func() { h.ok(s.Close(context.Background())) })
	return s
}

// plan is the model of all seats, or of some.
func plan(q eventstore.Query, every int) eventstore.Model[seats] {
	return eventstore.Model[seats]{
		Query: q, Stream: "plan", Init: func() seats { return seats{} },
		Fold: func(s seats, e any) seats {
			switch e := e.(type) {
			case seatBooked:
				s[e.Seat] = e.By
			case seatFreed:
				delete(s, e.Seat)
			case eventstore.Erased:
				s[-1] = fmt.Sprintf("%s%d,", s[-1], e.Position)
			}
			return s
		},
		Snapshots: eventstore.SnapshotPolicy{Every: every, Name: map[bool]string{true: "plan"}[every > 0]},
	}
}

var errTaken = errors.New("taken")

// book decides to book a seat that is free.
func book(seat int, by string) func(seats) ([]any, error) {
	return func(s seats) ([]any, error) {
		if s[seat] != "" {
			return nil, errTaken
		}
		return []any{seatBooked{seat, by}}, nil
	}
}

func ofSeat(seat int) eventstore.Query {
	return eventstore.Match(eventstore.Item{Types: []string{"seat booked", "seat freed"}, Tags: seatTag(seat)})
}

func (h *harness) loads(s *eventstore.Store, m eventstore.Model[seats], want seats) {
	h.Helper()
	got, at, err := eventstore.Load(h.ctx, s, m)
	h.ok(err)
	equal(h, "state", got, want)
	equal(h, "position", at, h.head())
}

var typedCases = []testCase{
	{"OfManyWhoDecideOneWins", func(h *harness) {
		s := h.typed()
		var group sync.WaitGroup
		const people, chairs = 6, 8
		var mu sync.Mutex
		booked := seats{} // under mu
		for p := range people {
			group.Go(func() {
				for seat := range chairs {
					by := fmt.Sprint("person ", p)
					stored, err := eventstore.Decide(h.ctx, s, plan(ofSeat(seat), 0), book(seat, by))
					if errors.Is(err, errTaken) {
						continue
					}
					mu.Lock()
					if err != nil || len(stored) != 1 || booked[seat] != "" {
						h.Errorf("seat %d for %s: %v, %d stored, booked by %q", seat, by, err, len(stored), booked[seat])
					}
					booked[seat] = by
					mu.Unlock()
				}
			})
		}
		group.Wait()
		h.loads(s, plan(eventstore.All(), 0), booked)
		equal(h, "events", h.head(), chairs)
	}},
	{"EventsAreFoundByTheirNewName", func(h *harness) {
		h.append(eventstore.Event{Type: "booking", Tags: seatTag(7), Data: []byte(`{"Seat":7}`)}, event("other", ""))
		s := h.typed()
		h.loads(s, plan(ofSeat(7), 0), seats{7: "somebody"})
		_, err := eventstore.Decide(h.ctx, s, plan(ofSeat(7), 0), book(7, "me"))
		h.is(err, errTaken)
		// Not even one that comes between reading and appending is missed.
		calls := 0
		_, err = eventstore.Decide(h.ctx, s, plan(ofSeat(8), 0), func(now seats) ([]any, error) {
			if calls++; calls == 1 {
				h.append(eventstore.Event{Type: "booking", Tags: seatTag(8), Data: []byte(`{"Seat":8}`)})
			}
			return book(8, "me")(now)
		})
		h.is(err, errTaken)
		equal(h, "rounds", calls, 2)
	}},
	{"DurableListenersFindEventsByTheirNewName", func(h *harness) {
		able[eventstore.Checkpoints](h)
		h.append(eventstore.Event{Type: "booking", Tags: seatTag(7), Data: []byte(`{"Seat":7}`)}, event("other", ""))
		s := h.typed()
		var got []eventstore.Position // by the listener; read when Wait has returned
		_, err := s.Listen("seats", ofSeat(7), func(_ context.Context, r eventstore.Recorded) error {
			got = append(got, r.Position)
			return nil
		}, eventstore.FromStart())
		h.ok(err)
		h.ok(s.Wait(h.ctx, "seats", 2))
		equal(h, "positions", got, []eventstore.Position{1})
		// Those that come live, too.
		h.append(event("other", ""), eventstore.Event{Type: "booking", Tags: seatTag(7), Data: []byte(`{"Seat":7}`)})
		h.ok(s.Wait(h.ctx, "seats", 4))
		equal(h, "positions", got, []eventstore.Position{1, 4})
	}},
	{"AnEventAfterTheHeadIsNotMissed", func(h *harness) {
		other := h.typed()
		for _, when := range []string{"head", "page"} {
			s := eventstore.New(&between{Backend: h.backend, when: when, do: func() {
				_, err := eventstore.Decide(h.ctx, other, plan(ofSeat(1), 0), func(seats) ([]any, error) {
					return []any{seatFreed{1}, seatBooked{1, "other"}}, nil
				})
				h.ok(err)
			}}, eventstore.Types(other.Types()))
			_, err := eventstore.Decide(h.ctx, other, plan(ofSeat(1), 0), func(seats) ([]any, error) { return []any{seatFreed{1}}, nil })
			h.ok(err)
			_, err = eventstore.Decide(h.ctx, s, plan(ofSeat(1), 0), book(1, "me"))
			h.is(err, errTaken)
			h.ok(s.Close(h.ctx))
		}
		h.loads(other, plan(eventstore.All(), 0), seats{1: "other"})
	}},
	{"ARequestIsDoneOnceWhateverItWasTold", func(h *harness) {
		types := h.typed().Types()
		lost := &loses{Backend: h.backend}
		s := eventstore.New(lost, eventstore.Types(types))
		for range 3 {
			lost.next = true
			stored, err := eventstore.Decide(h.ctx, s, plan(eventstore.OfStream("other"), 0), func(seats) ([]any, error) {
				return []any{eventstore.Draft{ID: "request", Value: seatBooked{3, "me"}, Stream: "other"}}, nil
			})
			h.ok(err)
			equal(h, "positions", positions(stored), []eventstore.Position{1})
		}
		equal(h, "head", h.head(), 1)
		h.ok(s.Close(h.ctx))
	}},
	{"SnapshotsAreNeverTrustedOverEvents", func(h *harness) {
		b := able[eventstore.Snapshots](h)
		s := h.typed()
		m := plan(eventstore.All(), 3)
		want := seats{}
		for seat := range 5 {
			by := fmt.Sprint("person ", seat)
			_, err := eventstore.Decide(h.ctx, s, m, book(seat, by))
			h.ok(err)
			want[seat] = by
		}
		h.loads(s, m, want)
		snap, ok, err := b.LoadSnapshot(h.ctx, "plan", 1)
		h.check(ok && err == nil, "no snapshot, %v", err)
		for _, damage := range []func(*eventstore.Snapshot){
			func(s *eventstore.Snapshot) { s.Data = []byte(`{}`) },
			func(s *eventstore.Snapshot) { s.Position = 1 << 40 },
			func(s *eventstore.Snapshot) { s.EventID = "another" },
			func(s *eventstore.Snapshot) { s.Identity = "another" },
			func(s *eventstore.Snapshot) { s.Sum = nil },
		} {
			bad := snap
			damage(&bad)
			h.ok(b.DropSnapshots(h.ctx, "plan"))
			h.ok(b.SaveSnapshot(h.ctx, bad))
			h.loads(s, m, want)
			good, ok, err := b.LoadSnapshot(h.ctx, "plan", 1)
			h.check(ok && err == nil && bytes.Equal(good.Data, must(encoded(h, s, m))), "a new one was not taken: %s, %v", good.Data, err)
		}
		m.Snapshots.Version = 2
		h.loads(s, m, want)
		_, ok, err = b.LoadSnapshot(h.ctx, "plan", 1)
		h.check(ok && err == nil, "the snapshot of the other version is gone, %v", err)
	}},
	{"WhoeverIsForgottenIsErased", func(h *harness) {
		able[eventstore.KeyStore](h)
		s := h.typed()
		_, snapshots := h.backend.(eventstore.Snapshots)
		m := plan(eventstore.All(), map[bool]int{true: 1}[snapshots])
		for seat, by := range []string{"ann", "bob", "ann"} {
			_, err := eventstore.Decide(h.ctx, s, m, book(seat, by))
			h.ok(err)
		}
		h.loads(s, m, seats{0: "ann", 1: "bob", 2: "ann"})
		h.ok(s.Forget(h.ctx, "ann"))
		h.loads(s, m, seats{-1: "1,3,", 1: "bob"})
		_, err := eventstore.Decide(h.ctx, s, m, book(4, "ann"))
		h.ok(err)
		h.loads(s, m, seats{-1: "1,3,", 1: "bob", 4: "ann"})
	}},
}

// encoded returns the state as a snapshot has it.
func encoded(h *harness, s *eventstore.Store, m eventstore.Model[seats]) ([]byte, error) {
	state, _, err := eventstore.Load(h.ctx, s, m)
	h.ok(err)
	e := eventstore.NewRegistry()
	eventstore.Register[seats](e, "seats")
	event, err := e.Encode(h.ctx, eventstore.Draft{Value: state})
	return event.Data, err
}

// between is a backend at which something happens once, behind the back of who
// reads: after its head, or its page, was read.
type between struct {
	eventstore.Backend
	when string
	do   func()
	once sync.Once
}

func (b *between) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := b.Backend.Head(ctx)
	if b.when == "head" {
		b.once.Do(b.do)
	}
	return head, err
}

func (b *between) Page(ctx context.Context, r eventstore.PageRequest) (eventstore.Page, error) {
	page, err := b.Backend.Page(ctx, r)
	if b.when == "page" {
		b.once.Do(b.do)
	}
	return page, err
}

// loses is a backend that commits and loses the answer, when told to.
type loses struct {
	eventstore.Backend
	next bool
}

func (l *loses) Append(ctx context.Context, b eventstore.Batch) (eventstore.Appended, error) {
	done, err := l.Backend.Append(ctx, b)
	if l.next && err == nil {
		l.next = false
		return eventstore.Appended{}, fmt.Errorf("the connection was lost: %w", eventstore.ErrOutcomeUnknown)
	}
	return done, err
}
