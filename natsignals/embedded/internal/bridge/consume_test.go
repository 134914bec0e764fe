package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
)

// ackPending is how many messages the server waits for.
func (w *world) ackPending(stream, durable string) int {
	w.t.Helper()
	c, err := w.js.Consumer(w.ctx, stream, durable)
	if err != nil {
		w.t.Fatal(err)
	}
	return c.CachedInfo().NumAckPending
}

func TestASignalInOneProcessReachesListenersInAnother(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	out, in := async(), async()
	closeSignal(t, out)
	closeSignal(t, in)
	w.publish(out, "orders.placed")
	var got record
	in.Subscribe(got.listen)
	c := w.consume("ORDERS", "shipping", in, natsignals.Ordered(1))
	for _, o := range orders(50) {
		out.Emit(w.ctx, o)
	}
	eventually(t, "50 handled", func() bool { return c.Stats().Handled >= 50 })
	wantIDs(t, got.ids(), 50)
	if n := w.ackPending("ORDERS", "shipping"); n != 0 {
		t.Errorf("%d messages are not acknowledged", n)
	}
}

func TestAMessageIsNotAcknowledgedWhenItIsHandedOverButWhenEveryListenerSucceeded(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	gate, begun := make(chan struct{}), make(chan struct{}, 1)
	var quickOne record
	s.Subscribe(quickOne.listen)
	s.Subscribe(func(context.Context, Order) error { begun <- struct{}{}; <-gate; return nil })
	c := w.consume("ORDERS", "shipping", s)
	w.put("orders.placed", Order{ID: 1})
	<-begun
	eventually(t, "the quick listener is done", quickOne.has(1))
	if got := w.ackPending("ORDERS", "shipping"); got != 1 || c.Stats().Handled != 0 {
		t.Errorf("%d messages wait for their acknowledgement while a listener runs; want 1", got)
	}
	close(gate)
	eventually(t, "handled", func() bool { return c.Stats().Handled >= 1 })
	if got := w.ackPending("ORDERS", "shipping"); got != 0 {
		t.Errorf("%d wait after it; want 0", got)
	}
}

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

func TestAConsumerThatGivesUpByItselfIsRefused(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	base := jetstream.ConsumerConfig{Durable: "shipping", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 30 * time.Second, MaxAckPending: 1064, MaxDeliver: -1}
	for field, change := range map[string]func(*jetstream.ConsumerConfig){
		"max_deliver 5; want no limit": func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 5 },
		"backoff [1s]; want none":      func(c *jetstream.ConsumerConfig) { c.BackOff = []time.Duration{time.Second}; c.AckWait = 0 },
		"ack_wait 1s; want 30s":        func(c *jetstream.ConsumerConfig) { c.AckWait = time.Second },
		"ack_policy AckNone; want AckExplicit": func(c *jetstream.ConsumerConfig) {
			c.AckPolicy = jetstream.AckNonePolicy
			c.AckWait = 0
			c.MaxAckPending = 0
		},
		`filter_subject "orders.x"; want ""`: func(c *jetstream.ConsumerConfig) { c.FilterSubject = "orders.x" },
		"max_ack_pending 1; want 1064":       func(c *jetstream.ConsumerConfig) { c.MaxAckPending = 1 },
		"headers_only true; want false":      func(c *jetstream.ConsumerConfig) { c.HeadersOnly = true },
	} {
		cfg := base
		change(&cfg)
		if _, err := w.js.CreateConsumer(w.ctx, "ORDERS", cfg); err != nil {
			t.Fatal(err)
		}
		_, err := natsignals.Consume(w.ctx, w.js, "ORDERS", "shipping", s)
		var config *natsignals.ConfigError
		if !errors.As(err, &config) || !strings.Contains(err.Error(), field) {
			t.Errorf("%v; want a ConfigError with %q", err, field)
		}
		if err := w.js.DeleteConsumer(w.ctx, "ORDERS", "shipping"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARetryIsNotOvertakenInItsPartition(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	out := async()
	closeSignal(t, out)
	const partitions, keys, each = 4, 6, 20
	w.publish(out, "orders.placed", natsignals.Partitioned(partitions, func(o Order) string { return o.Key }))
	// Two processes share the work.
	var mu sync.Mutex
	got := make(map[string][]int)
	failed := make(map[Order]int)
	listen := func(_ context.Context, o Order) error {
		mu.Lock()
		defer mu.Unlock()
		if failed[o]++; o.ID%5 == 0 && failed[o] < 3 {
			return errDeclined
		}
		got[o.Key] = append(got[o.Key], o.ID)
		return nil
	}
	var consumers []*natsignals.Consumer
	for range 2 {
		s := signals.New[Order](signals.Logger(quiet))
		closeSignal(t, s)
		s.Subscribe(listen)
		_, js := w.connect()
		c, err := natsignals.Consume(w.ctx, js, "ORDERS", "shipping", s, natsignals.Filter("orders.placed"), natsignals.Ordered(partitions), quick, natsignals.Logger(quiet))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeNow(c.Close) })
		consumers = append(consumers, c)
	}
	for i := range each {
		for k := range keys {
			out.Emit(w.ctx, Order{i + 1, fmt.Sprint("customer-", k)})
		}
	}
	eventually(t, "all handled", func() bool { return consumers[0].Stats().Handled+consumers[1].Stats().Handled == keys*each })
	mu.Lock()
	defer mu.Unlock()
	for _, ids := range got {
		wantIDs(t, ids, each)
	}
}

func TestPartitionsThatNobodyWouldReadAreAnError(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.put("orders.placed.5", Order{ID: 1})
	_, err := natsignals.Consume(w.ctx, w.js, "ORDERS", "shipping", async(), natsignals.Filter("orders.placed"), natsignals.Ordered(4))
	if err == nil || !strings.Contains(err.Error(), "orders.placed.5") {
		t.Errorf("%v; want an error that names the subject", err)
	}
}

func TestWithoutAListenerNothingIsAcknowledged(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	c := w.consume("ORDERS", "shipping", s)
	w.put("orders.placed", orders(3)...)
	if got, err := w.js.Consumer(w.ctx, "ORDERS", "shipping"); err != nil || got.CachedInfo().NumAckPending != 0 || got.CachedInfo().NumPending != 3 {
		t.Errorf("without a listener: %+v, %v; want 3 pending and none fetched", got.CachedInfo(), err)
	}
	var got record
	s.Subscribe(got.listen)
	eventually(t, "3 handled", func() bool { return c.Stats().Handled >= 3 })
}

func TestWhatWaitsInAllPartitionsIsSeen(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	c := w.consume("ORDERS", "shipping", s, natsignals.Filter("orders.placed"), natsignals.Ordered(2), natsignals.CheckEvery(20*time.Millisecond))
	w.put("orders.placed.0", orders(2)...)
	w.put("orders.placed.1", orders(3)...)
	eventually(t, "5 are pending", func() bool { return c.Stats().Pending == 5 })
}

func TestAMessageWhoseListenerWasRemovedMeanwhileComesAgainAndThatIsNoAttempt(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.stream("DEAD", "dead.>")
	s := async()
	closeSignal(t, s)
	gate, begun := make(chan struct{}), make(chan struct{}, 1)
	stuck := s.Subscribe(func(context.Context, Order) error { begun <- struct{}{}; <-gate; return nil })
	c := w.consume("ORDERS", "shipping", s, natsignals.InFlight(2), natsignals.DeadLetter("dead.orders"), natsignals.Attempts(1))
	w.put("orders.placed", orders(2)...)
	<-begun
	eventually(t, "both are here", func() bool { return s.Pending() == 2 })
	stuck.Unsubscribe() // the one that waits is dropped
	close(gate)
	var got record
	s.Subscribe(got.listen)
	eventually(t, "what was not handled comes again", func() bool { return c.Stats().Handled >= 2 })
	if st := c.Stats(); st.Returned == 0 || st.DeadLetters != 0 || st.Failures != 0 {
		t.Errorf("%+v; want it returned, and no failure", st)
	}
	if len(got.ids()) == 0 {
		t.Error("the new listener got nothing")
	}
}

func TestALongCallKeepsItsMessageAndThoseThatWaitBehindIt(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	const ackWait = 2 * time.Second // long enough for a machine that is busy with other things
	var got record
	long := make(chan struct{})
	s.Subscribe(func(ctx context.Context, o Order) error {
		<-long
		return got.listen(ctx, o)
	})
	c := w.consume("ORDERS", "shipping", s, natsignals.AckWait(ackWait), natsignals.InFlight(8))
	w.put("orders.placed", orders(5)...)
	eventually(t, "all are here", func() bool { return s.Pending() == 5 })
	time.AfterFunc(5*ackWait/2, func() { close(long) })
	eventually(t, "all handled", func() bool { return c.Stats().Handled >= 5 })
	if n := len(got.ids()); n != 5 {
		t.Errorf("%d calls; want 5: nothing was delivered twice", n)
	}
}

func TestADeletedConsumerIsNoticedAndNothingIsTakenForAcknowledged(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	gate, begun := make(chan struct{}), make(chan struct{}, 1)
	s.Subscribe(func(context.Context, Order) error { begun <- struct{}{}; <-gate; return nil })
	var l logs
	c := w.consume("ORDERS", "shipping", s, natsignals.CheckEvery(time.Hour), natsignals.Timeout(time.Second), natsignals.Logger(l.logger()))
	w.put("orders.placed", Order{ID: 1})
	<-begun
	if err := w.js.DeleteConsumer(w.ctx, "ORDERS", "shipping"); err != nil {
		t.Fatal(err)
	}
	close(gate) // the listener succeeds; to acknowledge is not possible any more
	<-c.Done()
	if err := c.Err(); !errors.Is(err, natsignals.ErrConsumerLost) {
		t.Errorf("Err is %v; want ErrConsumerLost", err)
	}
	if st := c.Stats(); st.Handled != 0 || st.Unconfirmed != 1 {
		t.Errorf("%+v; want 1 unconfirmed and none handled", st)
	}
	if !l.has("lost its position") {
		t.Error("the end of the consumer was not logged")
	}
}

func TestAConsumerThatIsIdleNoticesThatItsConsumerOrStreamIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		gone func(w *world) error
		want error
	}{
		"deleted":        {func(w *world) error { return w.js.DeleteConsumer(w.ctx, "ORDERS", "shipping") }, natsignals.ErrConsumerLost},
		"stream deleted": {func(w *world) error { return w.js.DeleteStream(w.ctx, "ORDERS") }, natsignals.ErrNoStream},
		"made again": {func(w *world) error {
			cons, err := w.js.Consumer(w.ctx, "ORDERS", "shipping")
			if err != nil {
				return err
			}
			cfg := cons.CachedInfo().Config
			if err := w.js.DeleteConsumer(w.ctx, "ORDERS", "shipping"); err != nil {
				return err
			}
			_, err = w.js.CreateConsumer(w.ctx, "ORDERS", cfg)
			return err
		}, natsignals.ErrConsumerLost},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stream("ORDERS", "orders.>")
			s := async()
			closeSignal(t, s)
			var got record
			s.Subscribe(got.listen)
			consumer := w.consume("ORDERS", "shipping", s, natsignals.CheckEvery(50*time.Millisecond))
			w.put("orders.placed", Order{ID: 1})
			eventually(t, "handled", func() bool { return consumer.Stats().Handled >= 1 })
			if err := c.gone(w); err != nil {
				t.Fatal(err)
			}
			select {
			case <-consumer.Done():
			case <-time.After(20 * time.Second):
				t.Fatal("the consumer goes on, silently idle")
			}
			if err := consumer.Err(); !errors.Is(err, c.want) {
				t.Errorf("Err is %v; want %v", err, c.want)
			}
		})
	}
}

func TestConsumersWithOneNameShareAndBroadcastConsumersEachGetAll(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.put("orders.placed", Order{ID: 1000}) // before the broadcast ones begin
	const n = 60
	var shared, all [2]record
	for i := range 2 {
		for _, c := range []struct {
			r    *record
			opts []natsignals.Option
		}{{&shared[i], nil}, {&all[i], []natsignals.Option{natsignals.Broadcast()}}} {
			s := async()
			closeSignal(t, s)
			s.Subscribe(c.r.listen)
			w.consume("ORDERS", "shipping", s, append(c.opts, natsignals.InFlight(2))...)
		}
	}
	w.put("orders.placed", orders(n)...)
	eventually(t, "the shared ones have all", func() bool { return len(shared[0].ids())+len(shared[1].ids()) == n+1 })
	for i := range all {
		eventually(t, "a broadcast one has all", all[i].has(n))
		if got := all[i].ids(); len(got) != n {
			t.Errorf("broadcast consumer %d got %d messages; want %d", i, len(got), n)
		}
	}
}

func TestANewDurableBeginsWhereItIsTold(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.put("orders.placed", orders(3)...)
	middle := time.Now()
	w.put("orders.placed", Order{ID: 4}, Order{ID: 5})
	for name, c := range map[string]struct {
		opts []natsignals.Option
		want int // the first
	}{
		"start":    {nil, 1},
		"sequence": {[]natsignals.Option{natsignals.FromSequence(2)}, 2},
		"time":     {[]natsignals.Option{natsignals.From(middle)}, 4},
		"now":      {[]natsignals.Option{natsignals.FromNow()}, 6},
	} {
		s := async()
		closeSignal(t, s)
		var got record
		s.Subscribe(got.listen)
		w.consume("ORDERS", name, s, append(c.opts, natsignals.Ordered(1))...)
		t.Cleanup(func() {
			eventually(t, name, got.has(7-c.want))
			for i, id := range got.ids() {
				if id != c.want+i {
					t.Errorf("%s: got %v; want %d to 6", name, got.ids(), c.want)
					break
				}
			}
		})
	}
	w.put("orders.placed", Order{ID: 6})
}

func TestCloseFinishesWhatIsBeingHandledAndGivesBackTheRest(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	gate, begun := make(chan struct{}), make(chan struct{}, 1)
	var got record
	s.Subscribe(func(ctx context.Context, o Order) error {
		select {
		case begun <- struct{}{}:
		default:
		}
		<-gate
		return got.listen(ctx, o)
	})
	c := w.consume("ORDERS", "shipping", s, natsignals.InFlight(1), natsignals.AckWait(time.Hour))
	w.put("orders.placed", orders(3)...)
	<-begun
	ctx, cancel := context.WithTimeout(w.ctx, 50*time.Millisecond)
	defer cancel()
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 messages") {
		t.Errorf("Close with a stuck listener: %v; want the deadline and what is left", err)
	}
	close(gate)
	if err := c.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	if st := c.Stats(); st.Handled != 1 || c.Err() != nil {
		t.Errorf("%+v, %v; want the one handled and no error", st, c.Err())
	}
	if n := w.ackPending("ORDERS", "shipping"); n != 0 {
		t.Errorf("%d messages are pending after Close; want none", n)
	}
	w.consume("ORDERS", "shipping", s, natsignals.InFlight(1), natsignals.AckWait(time.Hour)) // goes on where it was
	eventually(t, "the rest", got.has(3))
}

func TestAClosedSignalEndsTheConsumer(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	s.Subscribe((&record{}).listen)
	c := w.consume("ORDERS", "shipping", s)
	if err := s.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.put("orders.placed", Order{ID: 1})
	<-c.Done()
	if err := c.Err(); !errors.Is(err, signals.ErrClosed) {
		t.Errorf("Err is %v; want the signal's ErrClosed", err)
	}
}

func TestAConsumerGoesOnAfterTheServerWasAway(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	var got record
	s.Subscribe(got.listen)
	c := w.consume("ORDERS", "shipping", s, natsignals.Ordered(1))
	w.put("orders.placed", orders(2)...)
	eventually(t, "2 handled", func() bool { return c.Stats().Handled >= 2 })
	w.server.Close()
	w.up()
	eventually(t, "the connection is back", w.nc.IsConnected)
	w.put("orders.placed", Order{ID: 3})
	eventually(t, "the third", func() bool { return c.Stats().Handled >= 3 })
	wantIDs(t, got.ids(), 3)
}

func TestConsumeRefusesWhatMakesNoSense(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	type options = []natsignals.Option
	for name, c := range map[string]struct {
		stream, durable string
		opts            options
		want            string
	}{
		"no stream":             {"NONE", "shipping", nil, "no such stream in this account"},
		"no durable":            {"ORDERS", "", nil, "no durable name"},
		"a dot":                 {"ORDERS", "a.b", nil, `"a.b" is no durable name`},
		"attempts, no grave":    {"ORDERS", "shipping", options{natsignals.Attempts(3)}, "without DeadLetter"},
		"a grave in the stream": {"ORDERS", "shipping", options{natsignals.DeadLetter("orders.dead")}, "would be delivered to the one"},
		"no grave":              {"ORDERS", "shipping", options{natsignals.DeadLetter("dead.x")}, "no such stream"},
		"partitions, no filter": {"ORDERS", "shipping", options{natsignals.Ordered(4)}, "needs Filter"},
		"a publisher's option":  {"ORDERS", "shipping", options{natsignals.Source("x")}, "Source is no option"},
		"replicas":              {"ORDERS", "shipping", options{natsignals.Replicas(3)}, "num_replicas"},
	} {
		_, err := natsignals.Consume(w.ctx, w.js, c.stream, c.durable, async(), c.opts...)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "natsignals: ") {
			t.Errorf("%s: %v; want an error with %q", name, err, c.want)
		}
	}
}
