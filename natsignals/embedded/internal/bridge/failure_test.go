package bridge_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
)

func TestEveryKindOfFailureGivesTheMessageBackAndItComesAgain(t *testing.T) {
	foreign := &rude{}
	for name, fail := range map[string]func() error{
		"an error":              func() error { return errDeclined },
		"a panic":               func() error { panic("boom") },
		"the context's error":   func() error { return context.Canceled },
		"a closed other signal": func() error { return fmt.Errorf("the mailer: %w", signals.ErrClosed) },
		"an error that panics":  func() error { return foreign },
		"Goexit":                func() error { goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stream("ORDERS", "orders.>")
			// The default failure handler of the core does not survive rude.
			s := signals.New[Order](signals.OnFailure(func(context.Context, signals.Failure) {}))
			closeSignal(t, s)
			var calls atomic.Int32
			s.Subscribe(func(context.Context, Order) error {
				if calls.Add(1) <= 2 {
					return fail()
				}
				return nil
			})
			c := w.consume("ORDERS", "shipping", s, natsignals.AckWait(time.Hour)) // what comes again was given back
			w.put("orders.placed", Order{ID: 1})
			eventually(t, "handled", func() bool { return c.Stats().Handled >= 1 })
			if st := c.Stats(); st.Failures != 2 || calls.Load() != 3 {
				t.Errorf("%d calls, %+v; want 3 calls, 2 failures", calls.Load(), st)
			}
		})
	}
}

// rude is an error none of whose methods returns.
type rude struct{}

func (*rude) Error() string   { panic("no text") }
func (*rude) Is(error) bool   { panic("no Is") }
func (*rude) Unwrap() []error { panic("no Unwrap") }

func TestAFailedMessageComesAgainAfterTheBackoffAndNotAtOnce(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	var mu sync.Mutex
	var at []time.Time
	s.Subscribe(func(context.Context, Order) error {
		mu.Lock()
		defer mu.Unlock()
		if at = append(at, time.Now()); len(at) < 4 {
			return errDeclined
		}
		return nil
	})
	c := w.consume("ORDERS", "shipping", s, natsignals.Backoff(50*time.Millisecond, 100*time.Millisecond))
	w.put("orders.placed", Order{ID: 1})
	eventually(t, "handled", func() bool { return c.Stats().Handled >= 1 })
	for i, least := range []time.Duration{50, 100, 100} { // 50 ms doubled, and at most 100
		if got := at[i+1].Sub(at[i]); got < least*time.Millisecond {
			t.Errorf("attempt %d came %v after the one before; want at least %v", i+2, got, least*time.Millisecond)
		}
	}
}

func TestMessagesThatWaitForTheirRetryDoNotStallTheOthers(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	var got record
	s.Subscribe(func(ctx context.Context, o Order) error {
		if o.ID <= 20 {
			return errDeclined
		}
		return got.listen(ctx, o)
	})
	// With no more than 4 + 20 pending, 20 that wait an hour leave 4.
	c := w.consume("ORDERS", "shipping", s, natsignals.InFlight(4), natsignals.Retrying(20), natsignals.Backoff(time.Hour, time.Hour))
	w.put("orders.placed", orders(60)...)
	eventually(t, "the 40 good ones", got.has(40))
	if st := c.Stats(); st.Retrying != 20 {
		t.Errorf("%+v; want 20 retrying", st)
	}
}

func TestWhenTooManyWaitAtTheServerFailedMessagesAreRetriedInPlaceAndEndAsDeadLetters(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.stream("DEAD", "dead.>")
	s := async()
	closeSignal(t, s)
	var got record
	s.Subscribe(func(ctx context.Context, o Order) error {
		if o.ID <= 30 {
			return errDeclined
		}
		return got.listen(ctx, o)
	})
	c := w.consume("ORDERS", "shipping", s, natsignals.InFlight(2), natsignals.Retrying(3),
		natsignals.DeadLetter("dead.orders"), natsignals.Attempts(3))
	w.put("orders.placed", orders(40)...)
	eventually(t, "the 10 good ones", got.has(10))
	eventually(t, "30 dead letters", func() bool { return c.Stats().DeadLetters == 30 })
	if n := w.stored("DEAD"); n != 30 {
		t.Errorf("%d dead letters are stored; want 30", n)
	}
}

func TestNoMoreMessagesWaitAtTheServerThanItIsToldAndTheRestWaitHere(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	s.Subscribe(func(context.Context, Order) error { return errDeclined })
	c := w.consume("ORDERS", "shipping", s, natsignals.InFlight(2), natsignals.Retrying(3), natsignals.Backoff(time.Hour, time.Hour))
	w.put("orders.placed", orders(10)...)
	eventually(t, "5 have failed", func() bool { return c.Stats().Failures == 5 })
	if st := c.Stats(); st.Retrying != 3 || st.InFlight != 2 {
		t.Errorf("%+v; want 3 waiting at the server and 2 here", st)
	}
}

func TestADeadLetterHoldsTheMessageAndTheErrorAndIsOffTheConsumer(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	dead := w.stream("DEAD", "dead.>")
	s := async()
	closeSignal(t, s)
	s.Subscribe(func(_ context.Context, o Order) error { return fmt.Errorf("no stock\nof %d: %w", o.ID, errDeclined) })
	c := w.consume("ORDERS", "shipping", s, natsignals.DeadLetter("dead.orders"), natsignals.Attempts(3))
	w.put("orders.placed", Order{ID: 7})
	eventually(t, "a dead letter", func() bool { return c.Stats().DeadLetters == 1 })
	if _, err := w.js.Publish(w.ctx, "orders.placed", []byte("{not json")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two dead letters", func() bool { return c.Stats().DeadLetters == 2 })
	for seq, want := range []map[string]string{
		{natsignals.HeaderAttempts: "3", natsignals.HeaderError: "no stock of 7: declined", natsignals.HeaderSequence: "1", "": `{"id":7`},
		{natsignals.HeaderAttempts: "1", natsignals.HeaderError: "cannot be decoded", natsignals.HeaderSequence: "2", "": "{not json"},
	} {
		m, err := dead.GetMsg(w.ctx, uint64(seq+1))
		if err != nil {
			t.Fatal(err)
		}
		want[natsignals.HeaderStream], want[natsignals.HeaderSubject], want[natsignals.HeaderConsumer] = "ORDERS", "orders.placed", "shipping"
		for name, text := range want {
			got := m.Header.Get(name)
			if name == "" {
				got = string(m.Data)
			}
			if !strings.Contains(got, text) {
				t.Errorf("dead letter %d: %s is %q; want %q", seq+1, name, got, text)
			}
		}
	}
	eventually(t, "nothing is pending", func() bool { return w.ackPending("ORDERS", "shipping") == 0 })
}

func TestADeadLetterThatCannotBeStoredIsNotLost(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.stream("DEAD", "dead.>")
	s := async()
	closeSignal(t, s)
	s.Subscribe(func(context.Context, Order) error { return errDeclined })
	c := w.consume("ORDERS", "shipping", s, natsignals.DeadLetter("dead.orders"), natsignals.Attempts(1), natsignals.Timeout(time.Second))
	if err := w.js.DeleteStream(w.ctx, "DEAD"); err != nil {
		t.Fatal(err)
	}
	w.put("orders.placed", Order{ID: 1})
	eventually(t, "it was tried", func() bool { return strings.Contains(c.Stats().Err, "dead letter") })
	if n := w.ackPending("ORDERS", "shipping"); n != 1 {
		t.Errorf("%d messages pending; want the one that could not be buried", n)
	}
	w.stream("DEAD", "dead.>")
	eventually(t, "a dead letter", func() bool { return c.Stats().DeadLetters == 1 })
	if n := w.stored("DEAD"); n != 1 {
		t.Errorf("%d dead letters are stored; want 1", n)
	}
}

// Some headers are orders to a stream. The one of the dead letters is another, and
// may not take them, or, worse, does.
func TestADeadLetterGivesNoOrdersThatWereForTheStreamOfTheMessage(t *testing.T) {
	for name, headers := range map[string]nats.Header{
		"expected stream":   {"Nats-Expected-Stream": {"ORDERS"}},
		"expected sequence": {"Nats-Expected-Last-Sequence": {"0"}},
		"replaces others":   {"Nats-Rollup": {"sub"}},
		"does not last":     {"Nats-TTL": {"1s"}},
		"in a batch":        {"Nats-Batch-Id": {"b"}, "Nats-Batch-Sequence": {"1"}, "Nats-Batch-Commit": {"1"}},
	} {
		for _, allowed := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", allowed ", allowed), func(t *testing.T) {
				w := newWorld(t)
				w.streamOf(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"},
					AllowRollup: true, AllowMsgTTL: true, AllowAtomicPublish: true})
				dead := w.streamOf(jetstream.StreamConfig{Name: "DEAD", Subjects: []string{"dead.>"},
					AllowRollup: allowed, AllowMsgTTL: allowed, AllowAtomicPublish: allowed})
				w.put("dead.orders", Order{ID: 1}) // an older one
				m := &nats.Msg{Subject: "orders.placed", Data: []byte(`{"id":2}`), Header: maps.Clone(headers)}
				m.Header.Set("Tenant", "acme")
				if ack, err := w.nc.RequestMsg(m, 5*time.Second); err != nil || strings.Contains(string(ack.Data), "error") {
					t.Fatalf("%v: %s", err, ack.Data)
				}
				s := async()
				closeSignal(t, s)
				s.Subscribe(func(context.Context, Order) error { return errDeclined })
				c := w.consume("ORDERS", "shipping", s, natsignals.DeadLetter("dead.orders"), natsignals.Attempts(1))
				eventually(t, "a dead letter", func() bool { return c.Stats().DeadLetters == 1 })
				if n := w.stored("DEAD"); n != 2 {
					t.Errorf("%d dead letters are stored; want the older one and this one", n)
				}
				letter, err := dead.GetMsg(w.ctx, 2)
				if err != nil {
					t.Fatal(err)
				}
				for name := range headers {
					if got := letter.Header.Get(name); got != "" {
						t.Errorf("the dead letter has %s: %s", name, got)
					}
				}
				if got := letter.Header.Get("Tenant"); got != "acme" {
					t.Errorf("Tenant is %q; want that of the message", got)
				}
			})
		}
	}
}
