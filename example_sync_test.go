package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// When a later listener fails, the steps that have completed are undone, the
// last one first.
func ExampleSyncSignal_Step() {
	ctx := context.Background()
	// region step
	stock := map[string]int{"tea": 2}
	placed := signals.NewSync[string](signals.Name("order.placed"))
	placed.Step(func(_ context.Context, item string) (signals.Undo, error) {
		if stock[item] == 0 {
			return nil, fmt.Errorf("no %s left", item)
		}
		stock[item]--
		return func(context.Context) error { stock[item]++; return nil }, nil
	}, signals.Key("stock"))
	placed.Subscribe(func(context.Context, string) error {
		return errors.New("card declined")
	}, signals.Key("payment"))

	fmt.Println(placed.TryEmit(ctx, "tea"))
	fmt.Println(stock["tea"], "in stock")
	// endregion

	// Output:
	// signals: listener 1 "payment" of "order.placed" failed: card declined
	// 2 in stock
}

// TryEmit stops at the first failure and returns it.
func ExampleSyncSignal_TryEmit() {
	ctx := context.Background()
	// region try
	errEmpty := errors.New("the basket is empty")
	placed := signals.NewSync[[]string](signals.Name("order.placed"))
	placed.Subscribe(func(_ context.Context, basket []string) error {
		if len(basket) == 0 {
			return errEmpty
		}
		return nil
	}, signals.Key("validate"))
	placed.Subscribe(func(_ context.Context, basket []string) error {
		fmt.Println("recorded", basket)
		return nil
	}, signals.Key("record"))

	fmt.Println(placed.TryEmit(ctx, []string{"tea"}))
	err := placed.TryEmit(ctx, nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, errEmpty))
	// endregion

	// Output:
	// recorded [tea]
	// <nil>
	// signals: listener 0 "validate" of "order.placed" failed: the basket is empty
	// true
}

// TryEmitAll runs every listener and joins the failures.
func ExampleSyncSignal_TryEmitAll() {
	closing := signals.NewSync[string](signals.Name("closing"))
	closing.Subscribe(func(context.Context, string) error { return errors.New("disk full") }, signals.Key("files"))
	closing.Subscribe(func(context.Context, string) error { return errors.New("timeout") }, signals.Key("network"))

	fmt.Println(closing.TryEmitAll(context.Background(), "now"))

	// Output:
	// signals: listener 0 "files" of "closing" failed: disk full
	// signals: listener 1 "network" of "closing" failed: timeout
}

// TryEmit looks at its context before each listener.
func ExampleSyncSignal_TryEmit_context() {
	ctx, cancel := context.WithCancel(context.Background())
	steps := signals.NewSync[int](signals.Name("steps"))
	steps.AddListener(func(context.Context, int) { cancel() })
	steps.AddListener(func(context.Context, int) { fmt.Println("never") })

	err := steps.TryEmit(ctx, 1)
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.Canceled))

	// Output:
	// signals: "steps" stopped after 1 of 2 listeners: context canceled
	// true
}

// Listeners of a sync signal run by priority, higher first, then in
// registration order.
func ExamplePriority() {
	// region priority
	stopping := signals.NewSync[string]()
	say := func(what string) func(context.Context, string) error {
		return func(context.Context, string) error { fmt.Println(what); return nil }
	}
	stopping.Subscribe(say("close the database"), signals.Priority(-10))
	stopping.Subscribe(say("finish requests"))
	stopping.Subscribe(say("stop listening"), signals.Priority(10))
	stopping.Subscribe(say("write the log"))
	stopping.Emit(context.Background(), "now")
	// endregion

	// Output:
	// stop listening
	// finish requests
	// write the log
	// close the database
}

// A listener with Once is called at most once, whichever goroutines emit.
func ExampleOnce() {
	ctx := context.Background()
	// region once
	connected := signals.NewSync[string]()
	connected.Subscribe(func(_ context.Context, host string) error {
		fmt.Println("first connection:", host)
		return nil
	}, signals.Once())
	connected.Emit(ctx, "a.example")
	connected.Emit(ctx, "b.example")
	fmt.Println(connected.Len(), "listeners")
	// endregion

	// Output:
	// first connection: a.example
	// 0 listeners
}

// A listener with a Filter gets only what passes it.
func ExampleFilter() {
	ctx := context.Background()
	// region filter
	measured := signals.NewSync[float64]()
	measured.Subscribe(func(_ context.Context, celsius float64) error {
		fmt.Println("too hot:", celsius)
		return nil
	}, signals.Filter(func(celsius float64) bool { return celsius > 80 }))
	for _, celsius := range []float64{20, 95, 79.9} {
		measured.Emit(ctx, celsius)
	}
	// endregion

	// Output:
	// too hot: 95
}

// A listener with Until is not called once its context has ended.
func ExampleUntil() {
	ctx := context.Background()
	// region until
	session, logout := context.WithCancel(ctx)
	messages := signals.NewSync[string]()
	messages.Subscribe(func(_ context.Context, text string) error {
		fmt.Println("to the session:", text)
		return nil
	}, signals.Until(session))
	messages.Emit(ctx, "hello")
	logout()
	messages.Emit(ctx, "anybody there?")
	// endregion

	// Output:
	// to the session: hello
}

// Reset removes all listeners. The signal stays in use.
func ExampleSyncSignal_Reset() {
	ctx := context.Background()
	// region reset
	saved := signals.NewSync[string]()
	saved.AddListener(func(_ context.Context, file string) { fmt.Println("index", file) })
	saved.AddListener(func(_ context.Context, file string) { fmt.Println("backup", file) })
	saved.Reset()
	fmt.Println(saved.IsEmpty())

	saved.AddListener(func(_ context.Context, file string) { fmt.Println("upload", file) })
	saved.Emit(ctx, "a.txt")
	// endregion

	// Output:
	// true
	// upload a.txt
}

// A Thermometer has its signal by value; the zero value is ready.
type Thermometer struct {
	Changed signals.SyncSignal[float64]
	celsius float64
}

func (t *Thermometer) Set(celsius float64) {
	if celsius != t.celsius {
		t.celsius = celsius
		t.Changed.Emit(context.Background(), celsius)
	}
}

// The zero value of a signal is ready to use.
func ExampleSyncSignal() {
	var t Thermometer
	t.Changed.AddListener(func(_ context.Context, celsius float64) { fmt.Println(celsius) })
	t.Set(20)
	t.Set(20)
	t.Set(21.5)

	// Output:
	// 20
	// 21.5
}

// Init gives options to a signal that is held by value.
func ExampleSyncSignal_Init() {
	// region init
	var t Thermometer
	t.Changed.Init(signals.Name("temperature"), signals.Counted())
	t.Changed.AddListener(func(context.Context, float64) {})
	t.Set(20)
	fmt.Println(t.Changed.Stats().Name, t.Changed.Stats().Deliveries)
	// endregion

	// Output:
	// temperature 1
}

// A key names a listener of a signal, so that others can find and remove it.
func ExampleKey() {
	// region keys
	saved := signals.NewSync[string](signals.Name("saved"))
	index := func(context.Context, string) error { return nil }
	saved.Subscribe(index, signals.Key("index"))
	saved.Subscribe(index, signals.Key("backup"))

	_, err := saved.TrySubscribe(index, signals.Key("index"))
	fmt.Println(errors.Is(err, signals.ErrKeyTaken))
	fmt.Println(saved.Keys(), saved.HasKey("backup"))
	fmt.Println(saved.RemoveListener("index"), "left")
	fmt.Println(saved.RemoveListener("index")) // there is none any more
	// endregion

	// Output:
	// true
	// [index backup] true
	// 1 left
	// -1
}

// The handle that Subscribe returns ends exactly this registration.
func ExampleSubscription_Unsubscribe() {
	ctx := context.Background()
	// region unsubscribe
	ticked := signals.NewSync[int]()
	show := func(_ context.Context, n int) error { fmt.Println("tick", n); return nil }
	first := ticked.Subscribe(show)
	ticked.Subscribe(show)
	ticked.Emit(ctx, 1)
	first.Unsubscribe()
	first.Unsubscribe() // does nothing
	ticked.Emit(ctx, 2)
	// endregion

	// Output:
	// tick 1
	// tick 1
	// tick 2
}

// InitialCapacity makes room for listeners that are expected, and Growth says
// how much more there is to be when that is used up.
func ExampleGrowth() {
	// region growth
	saved := signals.NewSync[string](
		signals.InitialCapacity(4),
		signals.Growth(func(currentCap int) int {
			fmt.Println("room for", currentCap, "is used up")
			return 2 * currentCap
		}),
	)
	for range 10 {
		saved.AddListener(func(context.Context, string) {})
	}
	fmt.Println(saved.Len(), "listeners")
	// endregion

	// Output:
	// room for 4 is used up
	// room for 8 is used up
	// 10 listeners
}

// A declined card is no defect: whoever is on call need not be woken.
func ExampleVeto() {
	ctx := context.Background()
	// region veto
	errDeclined := errors.New("card declined")
	placed := signals.NewSync[int](signals.Name("order.placed"))
	placed.Step(func(_ context.Context, cents int) (signals.Undo, error) {
		return func(context.Context) error { fmt.Println("stock released"); return nil }, nil
	}, signals.Key("stock"))
	placed.Subscribe(func(_ context.Context, cents int) error {
		if cents > 10_000 {
			return signals.Veto(errDeclined)
		}
		return nil
	}, signals.Key("payment"))

	err := placed.TryEmit(ctx, 20_000)
	fmt.Println(err)
	fmt.Println(signals.IsVeto(err), errors.Is(err, errDeclined))
	st := placed.Stats()
	fmt.Println(st.Vetoes, "veto,", st.Failures, "failures")
	// endregion

	// Output:
	// stock released
	// signals: listener 1 "payment" of "order.placed" vetoed: card declined
	// true true
	// 1 veto, 0 failures
}

// The first handler that knows a command takes it.
func ExampleSkipRest() {
	ctx := context.Background()
	// region skiprest
	commands := signals.NewSync[string]()
	commands.Subscribe(func(_ context.Context, command string) error {
		if command != "help" {
			return nil
		}
		fmt.Println("helping")
		return signals.SkipRest // it is done
	})
	commands.AddListener(func(_ context.Context, command string) { fmt.Println("unknown:", command) })
	commands.Emit(ctx, "help")
	commands.Emit(ctx, "hepl")
	// endregion

	// Output:
	// helping
	// unknown: hepl
}
