package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// region callbacks

// A Watcher tells of files that have changed.
type Watcher struct {
	Changed signals.SyncSignal[string]
}

func (w *Watcher) changed(ctx context.Context, file string) {
	w.Changed.Emit(ctx, file)
}

// endregion

// Instead of a list of callbacks: a signal, held by value.
func Example_migratingFromCallbacks() {
	ctx := context.Background()
	var w Watcher
	// region callbacks-use
	show := w.Changed.Subscribe(func(_ context.Context, file string) error {
		fmt.Println("changed:", file)
		return nil
	})
	defer show.Unsubscribe()
	// endregion
	w.changed(ctx, "a.txt")

	// Output:
	// changed: a.txt
}

// Instead of a list of callbacks that may fail and must be taken back by hand.
func Example_migratingFromRollback() {
	ctx := context.Background()
	type Account struct{ Name string }
	createHome := func(a Account) error { fmt.Println("home of", a.Name, "made"); return nil }
	removeHome := func(a Account) error { fmt.Println("home of", a.Name, "removed"); return nil }
	sendWelcome := func(Account) error { return errors.New("mailbox full") }

	// region rollback
	created := signals.NewSync[Account](signals.Name("account.created"))
	created.Step(func(_ context.Context, a Account) (signals.Undo, error) {
		return func(context.Context) error { return removeHome(a) }, createHome(a)
	}, signals.Key("home"))
	created.Subscribe(func(_ context.Context, a Account) error {
		return sendWelcome(a)
	}, signals.Key("welcome"))

	err := created.TryEmit(ctx, Account{Name: "ada"})
	// endregion
	fmt.Println(err)

	// Output:
	// home of ada made
	// home of ada removed
	// signals: listener 1 "welcome" of "account.created" failed: mailbox full
}

// Instead of a channel and a goroutine for each consumer.
func Example_migratingFromChannels() {
	ctx := context.Background()
	type Reading struct{ Celsius float64 }
	stored := 0
	store := func(context.Context, Reading) error { stored++; return nil }

	// region channels
	readings := signals.New[Reading](
		signals.Name("readings"),
		signals.Capacity(64, signals.Block), // as a buffer of 64; leave it out for none
	)
	readings.Subscribe(store, signals.Key("store"))

	for range 1000 {
		readings.Emit(ctx, Reading{Celsius: 20}) // waits for room
	}
	if err := readings.Close(ctx); err != nil { // instead of close(ch) and wg.Wait()
		fmt.Println(err)
	}
	// endregion
	fmt.Println(stored, "stored")

	// Output:
	// 1000 stored
}

// Instead of a select with a default, which drops when the channel is full.
func Example_migratingFromDroppingSends() {
	ctx := context.Background()
	held := make(chan struct{})
	begun := make(chan struct{})
	var drawn []int
	draw := func(_ context.Context, n int) error {
		if n == 0 {
			close(begun)
			<-held
		}
		drawn = append(drawn, n)
		return nil
	}

	// region dropping
	frames := signals.New[int](signals.Name("frames"))
	screen := frames.Subscribe(draw, signals.MaxLag(1, signals.KeepLatest))
	// endregion
	frames.Emit(ctx, 0)
	<-begun
	for n := 1; n <= 10; n++ {
		frames.Emit(ctx, n)
	}
	close(held)
	_ = frames.Close(ctx)
	fmt.Println(drawn, "and", screen.Stats().Drops, "dropped")

	// Output:
	// [0 10] and 9 dropped
}

// Instead of topics of functions of any type.
func Example_migratingFromEventBus() {
	ctx := context.Background()
	// region eventbus
	type Sum struct{ A, B int }

	bus := signals.NewBus()
	added := signals.SyncTopic[Sum](bus, "main:calculator")
	calculator := added.Subscribe(func(_ context.Context, s Sum) error {
		fmt.Println(s.A + s.B)
		return nil
	})
	added.Emit(ctx, Sum{20, 40})
	calculator.Unsubscribe()
	// endregion
	fmt.Println(added.Len())

	// Output:
	// 60
	// 0
}

// Instead of SubscribeAsync and WaitAsync.
func Example_migratingFromEventBusAsync() {
	ctx := context.Background()
	resized := []string{}
	resize := func(_ context.Context, file string) error { resized = append(resized, file); return nil }

	// region eventbus-async
	bus := signals.NewBus()
	uploaded := signals.Topic[string](bus, "image:uploaded")
	uploaded.Subscribe(resize) // one call at a time, in order: transactional
	uploaded.Emit(ctx, "a.png")
	uploaded.Emit(ctx, "b.png")
	if err := bus.Drain(ctx); err != nil {
		fmt.Println(err)
	}
	// endregion
	fmt.Println(resized)

	// Output:
	// [a.png b.png]
}

// From Watermill's GoChannel and a handler of its router.
func Example_migratingFromWatermill() {
	ctx := context.Background()
	type Placed struct {
		Order string
	}
	confirm := func(_ context.Context, p Placed) error { fmt.Println("confirmed:", p.Order); return nil }

	// region watermill
	bus := signals.NewBus()
	placed := signals.Topic[Placed](bus, "orders.placed")
	placed.Subscribe(confirm, signals.Key("confirm")) // nil acknowledges, an error is a Failure
	placed.Emit(ctx, Placed{"A-1"})
	if err := placed.EmitWait(ctx, Placed{"A-2"}); err != nil { // BlockPublishUntilSubscriberAck
		fmt.Println(err)
	}
	if err := bus.Close(ctx); err != nil { // what was accepted is delivered
		fmt.Println(err)
	}
	// endregion

	// Output:
	// confirmed: A-1
	// confirmed: A-2
}

// Instead of an Emit that waits.
func Example_migratingFromEmitThatWaits() {
	ctx := context.Background()
	type Record struct {
		ID   int
		Name string
	}
	index := func(context.Context, Record) error { return errors.New("the index is read-only") }
	quiet := func(context.Context, signals.Failure) {} // the failure comes back from EmitWait

	// region waits
	created := signals.New[Record](signals.Name("record.created"), signals.OnFailure(quiet))
	created.AddListenerWithErr(index, "index")

	err := created.EmitWait(ctx, Record{ID: 1, Name: "John"}) // waits for every listener
	// endregion
	fmt.Println(err)
	created.RemoveListener("index")

	// region notwaiting
	created.Emit(ctx, Record{ID: 2, Name: "Jane"}) // returns at once; no go in front of it
	// endregion
	_ = created.Close(ctx)

	// Output:
	// signals: listener 0 "index" of "record.created" failed: the index is read-only
}

// Instead of an options struct.
func Example_migratingFromSignalOptions() {
	ctx := context.Background()
	type Record struct{ ID int }
	// region options
	created := signals.New[Record](
		signals.InitialCapacity(100),
		signals.Growth(func(currentCap int) int { return 2*currentCap + 1 }),
	)
	// endregion
	created.AddListener(func(_ context.Context, r Record) { fmt.Println(r.ID) })
	fmt.Println(created.EmitWait(ctx, Record{ID: 7}))

	// Output:
	// 7
	// <nil>
}
