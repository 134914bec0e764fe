package bridge_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
)

// kept makes a copy of all that the server has, and restore puts it back.
func (w *world) kept() (restore func()) {
	w.t.Helper()
	w.server.Close()
	older := w.t.TempDir()
	if err := os.CopyFS(older, os.DirFS(w.dir)); err != nil {
		w.t.Fatal(err)
	}
	w.up()
	w.back()
	return func() {
		w.t.Helper()
		w.server.Close()
		if err := errors.Join(os.RemoveAll(w.dir), os.CopyFS(w.dir, os.DirFS(older))); err != nil {
			w.t.Fatal(err)
		}
		w.up()
		w.back()
	}
}

func (w *world) back() {
	w.t.Helper()
	eventually(w.t, "the connection is back", w.nc.IsConnected)
}

// The stream and its consumer are those of yesterday: sequences are given out a second
// time.
func TestAStreamThatWasRestoredFromAnOlderCopyIsNoticedAndNothingNewIsLeftOut(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	var got record
	s.Subscribe(got.listen)
	var l logs
	c := w.consume("ORDERS", "shipping", s, natsignals.Ordered(1), natsignals.Logger(l.logger()), natsignals.Timeout(time.Second))
	all := orders(12)
	w.put("orders.placed", all[:3]...)
	eventually(t, "3 handled", func() bool { return c.Stats().Handled == 3 })
	restore := w.kept()
	w.put("orders.placed", all[3:9]...)
	eventually(t, "9 handled", func() bool { return c.Stats().Handled == 9 })
	eventually(t, "the position is known", func() bool { return w.ackPending("ORDERS", "shipping") == 0 })
	restore()
	eventually(t, "it is said", func() bool { return l.has("the position of a consumer went back") && l.has("to=3") })
	w.put("orders.placed", all[9:]...)
	eventually(t, "12 handled", func() bool { return c.Stats().Handled == 12 })
	wantIDs(t, got.ids(), 12)
	if err := c.Err(); err != nil {
		t.Error(err)
	}
}

// Somebody deletes the stream and makes it again: its sequences begin at 1, as those of
// messages that are done did.
func TestMessagesOfAStreamThatWasMadeAgainAreNotTakenForThoseThatAreDone(t *testing.T) {
	w := newWorld(t)
	totals, done := w.bucket("totals"), w.bucket("done")
	var once record
	handle := func(n uint64, orders ...Order) {
		t.Helper()
		w.stream("ORDERS", "orders.>")
		s := async()
		closeSignal(t, s)
		s.Subscribe(natsignals.Fold(totals, func(o Order) string { return o.Key }, func(_ context.Context, sum int, o Order) (int, error) { return sum + o.ID, nil }))
		s.Subscribe(natsignals.Idempotent(done, "mail", once.listen))
		c := w.consume("ORDERS", "shipping", s, natsignals.Ordered(1))
		for _, o := range orders { // without an id
			if _, err := w.js.Publish(w.ctx, "orders.placed", []byte(`{"id":`+strings.Repeat("1", o.ID)+`,"key":"k"}`)); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "handled", func() bool { return c.Stats().Handled == n })
		if err := c.Close(w.ctx); err != nil {
			t.Fatal(err)
		}
		if err := w.js.DeleteStream(w.ctx, "ORDERS"); err != nil {
			t.Fatal(err)
		}
	}
	handle(3, Order{ID: 1}, Order{ID: 2}, Order{ID: 3})
	handle(2, Order{ID: 1}, Order{ID: 4})
	if sum, err := natsignals.FoldedState[int](w.ctx, totals, "k"); err != nil || sum != 1+11+111+1+1111 {
		t.Errorf("the total is %d, %v; want %d: each message once", sum, err, 1+11+111+1+1111)
	}
	if n := len(once.ids()); n != 5 {
		t.Errorf("%d calls; want 5", n)
	}
}

// shorter is a JetStream one of whose streams ends earlier than it does, as one
// that has lost its end.
type shorter struct {
	jetstream.JetStream
	mu    sync.Mutex
	end   uint64 // 0: all is there
	again int    // after so many looks all is there again, unless it was 0
}

type shortStream struct {
	jetstream.Stream
	end uint64
}

func (s *shorter) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	stream, err := s.JetStream.Stream(ctx, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.end == 0 {
		return stream, err
	}
	short := &shortStream{stream, s.end}
	if s.again--; s.again == 0 {
		s.end = 0
	}
	return short, nil
}

func (s *shorter) set(end uint64, again int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end, s.again = end, again
}

func (s *shortStream) CachedInfo() *jetstream.StreamInfo {
	info := *s.Stream.CachedInfo()
	info.State.LastSeq = s.end
	return &info
}

// With one copy the server puts its consumers back itself; with more it does not, and
// leaves out what is stored until the stream is as long again as it was.
func TestAConsumerBehindTheEndOfItsStreamIsLost(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	s.Subscribe((&record{}).listen)
	c := w.consume("ORDERS", "shipping", s)
	w.put("orders.placed", orders(5)...)
	eventually(t, "5 handled", func() bool { return c.Stats().Handled == 5 })
	if err := c.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	nc, js := w.connect()
	short := &shorter{JetStream: js, end: 3}
	_, err := natsignals.Consume(w.ctx, short, "ORDERS", "shipping", s, natsignals.Logger(quiet))
	if !errors.Is(err, natsignals.ErrConsumerLost) || !strings.Contains(err.Error(), "it is at 5, and the stream ends at 3") {
		t.Errorf("%v; want ErrConsumerLost with both", err)
	}
	short.set(3, 2) // the stream itself, and its end once: a cluster that has just come back
	early, err := natsignals.Consume(w.ctx, short, "ORDERS", "shipping", s, natsignals.Logger(quiet))
	if err != nil {
		t.Fatalf("it looked short once: %v", err)
	}
	if err := early.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	short.set(5, 0)
	again, err := natsignals.Consume(w.ctx, short, "ORDERS", "shipping", s, natsignals.Logger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(again.Close) })
	w.put("orders.placed", Order{ID: 6}) // which it hands out, and has never had
	_ = nc.ForceReconnect()              // it looks
	<-again.Done()
	if err := again.Err(); !errors.Is(err, natsignals.ErrConsumerLost) || !strings.Contains(err.Error(), "it is at 6, and the stream ends at 5") {
		t.Errorf("%v; want ErrConsumerLost with both", err)
	}
}

// forgetful is a JetStream that calls the first dead letter a duplicate and has
// never stored it.
type forgetful struct {
	jetstream.JetStream
	lies int
}

func (f *forgetful) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if f.lies > 0 && m.Subject == "dead.orders" {
		f.lies--
		return &jetstream.PubAck{Stream: "DEAD", Sequence: 99, Duplicate: true}, nil
	}
	return f.JetStream.PublishMsg(ctx, m, opts...)
}

func TestADeadLetterThatIsCalledADuplicateAndWasNeverStoredIsStored(t *testing.T) {
	for _, lies := range []int{1, 3} { // refused once, and refused again under its new id
		w := newWorld(t)
		w.stream("ORDERS", "orders.>")
		w.stream("DEAD", "dead.>")
		w.js = &forgetful{w.js, lies}
		s := signals.New[Order](signals.Logger(quiet))
		closeSignal(t, s)
		s.Subscribe(func(context.Context, Order) error { return errDeclined })
		c := w.consume("ORDERS", "shipping", s, natsignals.DeadLetter("dead.orders"), natsignals.Attempts(1))
		w.put("orders.placed", Order{ID: 1})
		eventually(t, "a dead letter", func() bool { return c.Stats().DeadLetters == 1 })
		if n := w.stored("DEAD"); n != 1 {
			t.Errorf("%d lies: %d dead letters are stored; want 1", lies, n)
		}
	}
}
