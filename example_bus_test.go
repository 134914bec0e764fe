package signals_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/signals"
)

// A bus holds signals by name and drains and closes them together. A listener
// may emit on another signal of the bus while the bus is closing.
func ExampleNewBus() {
	ctx := context.Background()
	// region bus
	bus := signals.NewBus(signals.OnFailure(func(_ context.Context, f signals.Failure) {
		fmt.Println("failure:", f.Signal, f.Err)
	}))
	orders := signals.Topic[int](bus, "orders")
	invoices := signals.Topic[string](bus, "invoices")
	orders.AddListener(func(ctx context.Context, id int) {
		invoices.Emit(ctx, fmt.Sprintf("invoice for order %d", id))
	})
	invoices.AddListener(func(_ context.Context, text string) { fmt.Println(text) })

	orders.Emit(ctx, 1)
	orders.Emit(ctx, 2)
	if err := bus.Close(ctx); err != nil {
		fmt.Println(err) // names what is left
	}
	// endregion

	// Output:
	// invoice for order 1
	// invoice for order 2
}

// Packages that know only a name and a payload type meet on a bus.
func ExampleTopic() {
	ctx := context.Background()
	// region topic
	bus := signals.NewBus()
	// Here, and anywhere else, the same signal:
	signals.Topic[string](bus, "user.registered").AddListener(func(_ context.Context, name string) {
		fmt.Println("welcome,", name)
	})
	signals.Topic[string](bus, "user.registered").Emit(ctx, "Ada")
	// endregion
	_ = bus.Close(ctx)

	// Output:
	// welcome, Ada
}

// Lookup finds a signal of any kind without making one.
func ExampleLookup() {
	// region lookup
	bus := signals.NewBus()
	signals.SyncTopic[int](bus, "payments")

	payments, ok := signals.Lookup[int](bus, "payments")
	fmt.Printf("%T %t\n", payments, ok)
	_, ok = signals.Lookup[string](bus, "payments") // another payload type
	fmt.Println(ok)
	// endregion

	// Output:
	// *signals.SyncSignal[int] true
	// false
}

// A tap sees every emission on every signal of a bus.
func ExampleBus_Tap() {
	ctx := context.Background()
	// region tap
	bus := signals.NewBus()
	started := signals.SyncTopic[string](bus, "started")
	stopped := signals.SyncTopic[int](bus, "stopped")

	tap := bus.Tap(func(_ context.Context, signal string, payload any) {
		fmt.Println(signal, payload)
	})
	started.Emit(ctx, "server")
	stopped.Emit(ctx, 0)
	tap.Unsubscribe()
	started.Emit(ctx, "again")
	// endregion

	// Output:
	// started server
	// stopped 0
}

// A Scope ends a group of registrations, on whatever signals, and waits until
// none of their calls is in flight.
func ExampleScope() {
	ctx := context.Background()
	// region scope
	saved, deleted := signals.NewSync[string](), signals.New[string]()

	var plugin signals.Scope
	say := func(_ context.Context, file string) error { fmt.Println("plugin:", file); return nil }
	saved.Subscribe(say, signals.In(&plugin))
	deleted.Subscribe(say, signals.In(&plugin))
	saved.Emit(ctx, "a.txt")

	if err := plugin.Close(ctx); err != nil {
		fmt.Println(err)
	}
	saved.Emit(ctx, "b.txt")
	fmt.Println(saved.Len(), deleted.Len())
	// endregion

	// Output:
	// plugin: a.txt
	// 0 0
}

// region source

// A Door emits; everybody else can only listen.
type Door struct {
	opened signals.SyncSignal[string]
}

// Opened is emitted with the name of whoever opened the door.
func (d *Door) Opened() signals.Source[string] { return &d.opened }

// Open opens the door.
func (d *Door) Open(ctx context.Context, who string) { d.opened.Emit(ctx, who) }

// endregion

// Source is the side of a signal that listens: what to hand out when others
// may listen but not emit.
func ExampleSource() {
	var door Door
	door.Opened().Subscribe(func(_ context.Context, who string) error {
		fmt.Println("welcome,", who)
		return nil
	})
	door.Open(context.Background(), "Ada")

	// Output:
	// welcome, Ada
}

// region gate

// A Checkout runs a sync chain and, when it has succeeded, an async fan-out.
type Checkout struct {
	placed   signals.SyncSignal[int]
	accepted signals.AsyncSignal[int]

	mu     sync.Mutex
	closed bool           // under mu
	inside sync.WaitGroup // of calls of Place; Add only under mu, while not closed
}

// Place refuses orders once Close has begun.
func (c *Checkout) Place(ctx context.Context, order int) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return errors.New("closed")
	}
	c.inside.Add(1)
	c.mu.Unlock()
	defer c.inside.Done()

	if err := c.placed.TryEmit(ctx, order); err != nil {
		return err
	}
	c.accepted.Emit(ctx, order)
	return nil
}

// Close loses no order: the gate first, then the signal behind it.
func (c *Checkout) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.inside.Wait()
	return c.accepted.Close(ctx)
}

// endregion

// A sync signal has nothing to drain, so a chain needs a gate at shutdown: an
// order between its chain and its fan-out would be refused by the latter.
func Example_gate() {
	ctx := context.Background()
	var c Checkout
	c.accepted.AddListener(func(_ context.Context, order int) { fmt.Println("shipped", order) })
	fmt.Println(c.Place(ctx, 1))
	fmt.Println(c.Close(ctx))
	fmt.Println(c.Place(ctx, 2))

	// Unordered output:
	// shipped 1
	// <nil>
	// <nil>
	// closed
}

// A bus counts what its signals do. A signal that is closed leaves its bus;
// ask the signal itself then.
func ExampleBus_Stats() {
	ctx := context.Background()
	// region stats
	bus := signals.NewBus()
	orders := signals.Topic[int](bus, "orders")
	orders.AddListener(func(context.Context, int) {})
	payments := signals.SyncTopic[int](bus, "payments")
	payments.AddListener(func(context.Context, int) {})
	for id := range 3 {
		payments.Emit(ctx, id)
		orders.Emit(ctx, id)
	}
	_ = bus.Drain(ctx)
	for _, s := range bus.Stats() {
		fmt.Println(s.Name, s.Kind, s.Emissions, s.Deliveries)
	}

	_ = orders.Close(ctx)
	fmt.Println(len(bus.Stats()), "left on the bus;", orders.Stats().Deliveries, "deliveries of the other")
	// endregion

	// Output:
	// orders async 3 3
	// payments sync 3 3
	// 1 left on the bus; 3 deliveries of the other
}

// An observer can join all signals of a bus at any time, and leave again.
func ExampleBus_Observe() {
	ctx := context.Background()
	// region observe
	bus := signals.NewBus()
	payments := signals.SyncTopic[int](bus, "payments")
	payments.Subscribe(func(context.Context, int) error { return nil }, signals.Key("ledger"))

	stop := bus.Observe(signals.Observer{
		ListenerEnd: func(_ context.Context, l *signals.ListenerInfo, _ time.Duration, err error) {
			fmt.Println(l.Signal.Name, l.Key, err)
		},
	})
	payments.Emit(ctx, 1)
	stop()
	payments.Emit(ctx, 2)
	// endregion

	// Output:
	// payments ledger <nil>
}

// Packages that know only the name meet on a sync signal, whoever comes first.
func ExampleSyncTopic() {
	ctx := context.Background()
	// region synctopic
	bus := signals.NewBus()
	signals.SyncTopic[int](bus, "order.placed").Subscribe(func(_ context.Context, cents int) error {
		if cents <= 0 {
			return errors.New("nothing to pay")
		}
		return nil
	}, signals.Key("check"))
	fmt.Println(signals.SyncTopic[int](bus, "order.placed").TryEmit(ctx, 0))
	// endregion

	// Output:
	// signals: listener 0 "check" of "order.placed" failed: nothing to pay
}
