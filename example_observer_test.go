package signals_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/signalstest"
)

// An observer sees the stages of emissions and deliveries: where metrics and
// tracing attach.
func ExampleObserver() {
	ctx := context.Background()
	// region observer
	placed := signals.NewSync[int](signals.Name("placed"), signals.Observe(signals.Observer{
		EmitBegin: func(ctx context.Context, s *signals.SignalInfo) context.Context {
			fmt.Println("begin", s.Name)
			return ctx // or one with a span in it
		},
		ListenerEnd: func(_ context.Context, l *signals.ListenerInfo, took time.Duration, err error) {
			fmt.Println("ran", l.Key, took >= 0, err)
		},
		EmitEnd: func(_ context.Context, s *signals.SignalInfo, err error) {
			fmt.Println("end", s.Name, err)
		},
	}))
	placed.Subscribe(func(context.Context, int) error { return nil }, signals.Key("stock"))
	placed.Subscribe(func(context.Context, int) error { return errors.New("declined") }, signals.Key("payment"))
	_ = placed.TryEmit(ctx, 1)
	// endregion

	// Output:
	// begin placed
	// ran stock true <nil>
	// ran payment true declined
	// end placed signals: listener 1 "payment" of "placed" failed: declined
}

// An observer can follow who listens, and what each listener has done in all.
func ExampleObserver_registrations() {
	ctx := context.Background()
	// region registrations
	bus := signals.NewBus()
	bus.Observe(signals.Observer{
		ListenerAdded: func(l *signals.ListenerInfo) { fmt.Println(l.Signal.Name, "has", l.Key) },
		ListenerRemoved: func(l *signals.ListenerInfo) {
			fmt.Println(l.Signal.Name, "had", l.Key, "for", l.Stats().Deliveries, "emissions")
		},
	})
	saved := signals.SyncTopic[string](bus, "saved")
	saved.Subscribe(func(context.Context, string) error { return nil }, signals.Key("plugin"))
	saved.Emit(ctx, "a.txt")
	saved.Emit(ctx, "b.txt")
	fmt.Println(saved.Stats())
	saved.RemoveListener("plugin")
	// endregion

	// Output:
	// saved has plugin
	// "saved", sync signal of string: 1 listener, 2 emissions, 2 deliveries
	// saved had plugin for 2 emissions
}

// Failures of all kinds come to one handler. Without one they are logged.
func ExampleOnFailure() {
	ctx := context.Background()
	// region handler
	resized := signals.New[string](
		signals.Name("resized"),
		signals.OnFailure(func(_ context.Context, f signals.Failure) {
			var p *signals.PanicError
			fmt.Printf("%s: %s of %v: %v (panic: %t)\n", f.Signal, f.Key, f.Payload, f.Err, errors.As(f.Err, &p))
		}),
	)
	resized.Subscribe(func(_ context.Context, file string) error {
		if file == "" {
			panic("no file")
		}
		return errors.New("not an image")
	}, signals.Key("thumbnail"))
	resized.Emit(ctx, "a.txt")
	resized.Emit(ctx, "")
	_ = resized.Close(ctx)
	// endregion

	// Output:
	// resized: thumbnail of a.txt: not an image (panic: false)
	// resized: thumbnail of : panic: no file (panic: true)
}

// The Emit of a signal is a failure handler.
func ExampleOnFailure_signal() {
	ctx := context.Background()
	// region signal
	failures := signals.New[signals.Failure](signals.Name("failures"))
	failures.AddListener(func(_ context.Context, f signals.Failure) {
		fmt.Println("page somebody:", f.Signal, f.Err)
	})
	bus := signals.NewBus(signals.OnFailure(failures.Emit)) // for every signal on the bus
	payments := signals.Topic[int](bus, "payments")
	payments.AddListenerWithErr(func(context.Context, int) error { return errors.New("declined") })

	payments.Emit(ctx, 20)
	_ = bus.Close(ctx)
	_ = failures.Close(ctx)
	// endregion

	// Output:
	// page somebody: payments declined
}

// Stats tells what a signal and each of its listeners have done.
func ExampleAsyncSignal_Stats() {
	ctx := context.Background()
	// region stats
	orders := signals.New[int](signals.Name("orders"), signals.Counted(),
		signals.OnFailure(func(context.Context, signals.Failure) {}))
	orders.Subscribe(func(context.Context, int) error { return nil }, signals.Key("ship"))
	orders.Subscribe(func(_ context.Context, id int) error {
		if id == 3 {
			return errors.New("unknown customer")
		}
		return nil
	}, signals.Key("thank"))
	for id := range 128 {
		orders.Emit(ctx, id)
	}
	_ = orders.Drain(ctx)

	s := orders.Stats()
	fmt.Println(s.Name, s.Kind, s.Emissions, "emissions", s.Deliveries, "deliveries", s.Failures, "failures")
	for _, l := range s.Listeners {
		fmt.Println(l.Key, l.Deliveries, l.Failures, "lag", l.Lag, "timed", l.Durations.Count)
	}
	// endregion

	// Output:
	// orders async 128 emissions 256 deliveries 1 failures
	// ship 128 0 lag 0 timed 2
	// thank 128 1 lag 0 timed 2
}

// A Meter emits each reading that is a record.
type Meter struct {
	Record signals.AsyncSignal[int]
	max    int
}

func (m *Meter) Read(ctx context.Context, v int) {
	if v > m.max {
		m.max = v
		m.Record.Emit(ctx, v)
	}
}

// region test

func TestMeterEmitsRecords(t *testing.T) {
	var meter Meter
	records := signalstest.Record(t, &meter.Record)

	for _, v := range []int{3, 1, 4, 1, 5} {
		meter.Read(t.Context(), v)
	}

	records.Wait(t.Context(), 3) // fails with what came instead
	records.Ordered(3, 4, 5)
}

// endregion

// Each listener runs in a transaction of its own, which is rolled back if it
// fails.
func ExampleAround() {
	ctx := context.Background()
	type txKey struct{}
	// region around
	inTx := func(ctx context.Context, l *signals.ListenerInfo, next func(context.Context) error) error {
		tx := "tx of " + l.Key
		if err := next(context.WithValue(ctx, txKey{}, tx)); err != nil {
			fmt.Println("roll back", tx)
			return err
		}
		fmt.Println("commit", tx)
		return nil
	}
	placed := signals.NewSync[int](signals.Name("order.placed"), signals.Around(inTx))
	placed.Subscribe(func(ctx context.Context, _ int) error {
		fmt.Println("insert in", ctx.Value(txKey{}))
		return nil
	}, signals.Key("ledger"))
	placed.Subscribe(func(context.Context, int) error { return errors.New("no stock") }, signals.Key("stock"))
	fmt.Println(placed.TryEmit(ctx, 1))
	// endregion

	// Output:
	// insert in tx of ledger
	// commit tx of ledger
	// roll back tx of stock
	// signals: listener 1 "stock" of "order.placed" failed: no stock
}
