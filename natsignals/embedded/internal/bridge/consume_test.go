package bridge_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

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

func TestWithoutAListenerNothingIsAcknowledged(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	c := w.consume("ORDERS", "shipping", s)
	w.put("orders.placed", orders(3)...)
	eventually(t, "the server counts 3 for the consumer", func() bool { // behind the publisher's back, a little later
		got, err := w.js.Consumer(w.ctx, "ORDERS", "shipping")
		return err == nil && got.CachedInfo().NumPending == 3
	})
	if n := w.ackPending("ORDERS", "shipping"); n != 0 {
		t.Errorf("without a listener: %d fetched; want none", n)
	}
	var got record
	s.Subscribe(got.listen)
	eventually(t, "3 handled", func() bool { return c.Stats().Handled >= 3 })
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

func TestANewDurableCanBeginWithAMessageThatIsYetToCome(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.put("orders.placed", orders(2)...)
	s := async()
	closeSignal(t, s)
	var got record
	s.Subscribe(got.listen)
	asked := &looking{JetStream: w.js}
	w.js = asked
	c := w.consume("ORDERS", "shipping", s, natsignals.FromSequence(5), natsignals.Ordered(1), natsignals.CheckEvery(20*time.Millisecond))
	eventually(t, "it has looked, more often than it doubts", func() bool { return asked.looks.Load() > 5 })
	w.put("orders.placed", orders(6)[2:]...)
	eventually(t, "2 handled", func() bool { return c.Stats().Handled == 2 })
	if ids := got.ids(); len(ids) != 2 || ids[0] != 5 || ids[1] != 6 || c.Err() != nil {
		t.Errorf("got %v, %v; want 5 and 6", ids, c.Err())
	}
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
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "still handling 1 message") {
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

func TestCloseInsideAListenerWouldWaitForItselfAndIsRefused(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	gate, closed := make(chan struct{}), make(chan error, 1)
	var c *natsignals.Consumer
	s.Subscribe(func(context.Context, Order) error {
		<-gate // until c is set
		closed <- c.Close(context.Background())
		return nil
	})
	c = w.consume("ORDERS", "shipping", s)
	close(gate)
	w.put("orders.placed", Order{ID: 1})
	select {
	case err := <-closed:
		if !errors.Is(err, signals.ErrWouldDeadlock) {
			t.Errorf("%v; want ErrWouldDeadlock", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Close waits for the listener that has called it")
	}
	eventually(t, "handled, and nothing is closed", func() bool { return c.Stats().Handled == 1 })
	if err := c.Close(w.ctx); err != nil {
		t.Errorf("Close outside: %v", err)
	}
}

// gated is a connection that holds back what the server sends while somebody has its
// gate.
type gated struct {
	net.Conn
	gate *sync.RWMutex
}

func (g *gated) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	g.gate.RLock()
	defer g.gate.RUnlock()
	return n, err
}

type gatedDialer struct{ gate sync.RWMutex }

func (d *gatedDialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &gated{c, &d.gate}, err
}

// The server counts it as delivered, and would wait for AckWait.
func TestWhatIsOnItsWayWhenCloseBeginsIsGivenBack(t *testing.T) {
	for name, ordered := range map[string][]natsignals.Option{"unordered": nil, "ordered": {natsignals.Ordered(1)}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stream("ORDERS", "orders.>")
			var d gatedDialer
			_, js := w.connect(nats.SetCustomDialer(&d))
			s := async()
			closeSignal(t, s)
			var got record
			s.Subscribe(got.listen)
			opts := append(ordered, natsignals.AckWait(time.Hour), natsignals.Logger(quiet))
			c, err := natsignals.Consume(w.ctx, js, "ORDERS", "shipping", s, opts...)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "a request is at the server", func() bool {
				cons, err := w.js.Consumer(w.ctx, "ORDERS", "shipping")
				return err == nil && cons.CachedInfo().NumWaiting == 1
			})
			d.gate.Lock()
			w.put("orders.placed", Order{ID: 1})
			eventually(t, "it is on its way", func() bool { return w.ackPending("ORDERS", "shipping") == 1 })
			ctx, cancel := context.WithTimeout(w.ctx, time.Millisecond)
			defer cancel()
			_ = c.Close(ctx)
			d.gate.Unlock()
			if err := c.Close(w.ctx); err != nil {
				t.Fatal(err)
			}
			if n := len(got.ids()); n != 0 {
				t.Errorf("%d calls after Close has begun", n)
			}
			w.consume("ORDERS", "shipping", s, opts...)
			eventually(t, "the next process has it", got.has(1))
		})
	}
}
