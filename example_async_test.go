package signals_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals"
)

// A sync signal runs its listeners before Emit returns.
func ExampleSyncSignal_Emit() {
	ctx := context.Background()
	// region sync
	greeted := signals.NewSync[string]()
	greeted.AddListener(func(_ context.Context, name string) {
		fmt.Println("hello,", name)
	})
	greeted.Emit(ctx, "Ada")
	fmt.Println("emitted")
	// endregion

	// Output:
	// hello, Ada
	// emitted
}

// An async signal accepts the emission; its listener runs on another goroutine,
// gets emissions in order, and Close waits until it is through.
func ExampleAsyncSignal_Emit() {
	ctx := context.Background()
	// region async
	greeted := signals.New[string]()
	greeted.AddListener(func(_ context.Context, name string) {
		fmt.Println("hello,", name)
	})
	greeted.Emit(ctx, "Ada")
	greeted.Emit(ctx, "Grace")
	if err := greeted.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// endregion

	// Output:
	// hello, Ada
	// hello, Grace
}

// EmitWait waits until every listener has run and returns their failures.
func ExampleAsyncSignal_EmitWait() {
	ctx := context.Background()
	// region emitwait
	refresh := signals.New[string](
		signals.Name("refresh"),
		signals.OnFailure(func(context.Context, signals.Failure) {}), // they come back from EmitWait
	)
	refresh.Subscribe(func(context.Context, string) error { return nil }, signals.Key("prices"))
	refresh.Subscribe(func(context.Context, string) error {
		return errors.New("no route to host")
	}, signals.Key("weather"))

	fmt.Println(refresh.EmitWait(ctx, "now"))
	// endregion

	// Output:
	// signals: listener 1 "weather" of "refresh" failed: no route to host
}

// Events is a signal as a loop. The range subscribes when it starts, and ends
// when the signal has been closed and everything is delivered.
func ExampleAsyncSignal_Events() {
	ctx := context.Background()
	readings := signals.New[int]()
	go func() {
		for readings.IsEmpty() { // until the loop below listens
			runtime.Gosched()
		}
		for n := range 3 {
			readings.Emit(ctx, n)
		}
		_ = readings.Close(ctx)
	}()

	// region events
	for reading := range readings.Events(ctx) {
		fmt.Println(reading)
	}
	// endregion

	// Output:
	// 0
	// 1
	// 2
}

// Drain waits for what has been accepted; Close also refuses what comes later.
func ExampleAsyncSignal_Close() {
	ctx := context.Background()
	// region close
	mails := signals.New[string](signals.Name("mails"))
	sent := 0
	mails.AddListener(func(context.Context, string) { sent++ })

	for range 10 {
		mails.Emit(ctx, "hello")
	}
	if err := mails.Drain(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(sent, "sent,", mails.Pending(), "pending")

	if err := mails.Close(ctx); err != nil {
		fmt.Println(err) // ctx ended; call Close again to wait on
	}
	err := mails.Offer(ctx, "too late")
	fmt.Println(errors.Is(err, signals.ErrClosed), err)
	// endregion

	// Output:
	// 10 sent, 0 pending
	// true signals: emit on "mails": signal is closed
}

// Wait returns when no call of the listener is in flight any more, and what it
// uses may go.
func ExampleSubscription_Wait() {
	ctx := context.Background()
	begun, goOn := make(chan struct{}), make(chan struct{})
	file := "open"
	// region wait
	lines := signals.New[string]()
	writer := lines.Subscribe(func(_ context.Context, line string) error {
		close(begun)
		<-goOn
		fmt.Println("wrote", line, "to a file that is", file)
		return nil
	})
	lines.Emit(ctx, "one")
	<-begun
	lines.Emit(ctx, "two")

	writer.Unsubscribe() // no further call starts: "two" is dropped
	close(goOn)
	if err := writer.Wait(ctx); err != nil {
		fmt.Println(err)
	}
	file = "closed"
	fmt.Println("the file is", file, "and", writer.Stats().Drops, "was dropped")
	// endregion

	// Output:
	// wrote one to a file that is open
	// the file is closed and 1 was dropped
}

// With Reject, a signal that is full refuses an emission; Offer says so.
func ExampleCapacity_reject() {
	ctx := context.Background()
	// region reject
	jobs := signals.New[int](signals.Name("jobs"), signals.Capacity(2, signals.Reject))
	goOn := make(chan struct{})
	jobs.AddListener(func(_ context.Context, n int) { <-goOn })

	for n := range 3 {
		if err := jobs.Offer(ctx, n); errors.Is(err, signals.ErrOverflow) {
			fmt.Println(n, "refused:", err)
		}
	}
	// endregion
	close(goOn)
	_ = jobs.Close(ctx)
	fmt.Println(jobs.Stats().Emissions, "accepted,", jobs.Stats().Refusals, "refused")

	// Output:
	// 2 refused: signals: emit on "jobs": signal is at capacity
	// 2 accepted, 1 refused
}

// With Block, an emission waits for room, for its context, or for Close.
func ExampleCapacity_block() {
	ctx := context.Background()
	// region block
	lines := signals.New[int](signals.Capacity(1, signals.Block))
	sum := 0
	lines.AddListener(func(_ context.Context, n int) { sum += n })
	for n := range 1000 {
		lines.Emit(ctx, n) // never more than one ahead of the listener
	}
	_ = lines.Close(ctx)
	fmt.Println(sum)
	// endregion

	// Output:
	// 499500
}

// A listener with Concurrency may run several times at once.
func ExampleConcurrency() {
	ctx := context.Background()
	// region concurrency
	uploads := signals.New[string]()
	var started atomic.Int32
	both := make(chan struct{})
	uploads.Subscribe(func(_ context.Context, file string) error {
		if started.Add(1) == 2 {
			close(both)
		}
		<-both // comes back only because two calls run at once
		return nil
	}, signals.Concurrency(2))
	uploads.Emit(ctx, "a.png")
	uploads.Emit(ctx, "b.png")
	fmt.Println(uploads.Close(ctx), started.Load())
	// endregion

	// Output:
	// <nil> 2
}

// MaxWorkers bounds the goroutines that run listeners of a signal, whatever
// the number of listeners.
func ExampleMaxWorkers() {
	ctx := context.Background()
	// region workers
	reports := signals.New[int](signals.MaxWorkers(1))
	var running, clashes atomic.Int32
	for range 20 {
		reports.AddListener(func(context.Context, int) {
			if running.Add(1) > 1 {
				clashes.Add(1)
			}
			running.Add(-1)
		})
	}
	for n := range 50 {
		reports.Emit(ctx, n)
	}
	_ = reports.Close(ctx)
	fmt.Println(reports.Stats().Deliveries, "deliveries,", clashes.Load(), "at the same time as another")
	// endregion

	// Output:
	// 1000 deliveries, 0 at the same time as another
}

// MaxLag lets one listener skip what it is too slow for. The others get
// everything.
func ExampleMaxLag() {
	ctx := context.Background()
	// region maxlag
	prices := signals.New[int]()
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	screen := prices.Subscribe(func(_ context.Context, price int) error {
		select {
		case begun <- struct{}{}: // the first price is on its way to the screen
		default:
		}
		<-goOn
		fmt.Println("screen:", price)
		return nil
	}, signals.MaxLag(1, signals.DropOldest))
	sum := 0
	prices.AddListener(func(_ context.Context, price int) { sum += price })

	prices.Emit(ctx, 1)
	<-begun
	for price := 2; price <= 100; price++ {
		prices.Emit(ctx, price)
	}
	close(goOn)
	_ = prices.Close(ctx)
	fmt.Println("sum:", sum, "dropped for the screen:", screen.Stats().Drops)
	// endregion

	// Output:
	// screen: 1
	// screen: 100
	// sum: 5050 dropped for the screen: 98
}

// With SlowAfter a call that takes too long is logged while it is running, with
// the place where its listener was registered.
func ExampleSlowAfter() {
	ctx := context.Background()
	logged := make(chan struct{})
	logger := slog.New(slog.NewTextHandler(told{logged}, &slog.HandlerOptions{ReplaceAttr: steady}))
	// region slow
	labels := signals.New[int](
		signals.Name("labels"),
		signals.SlowAfter(time.Millisecond),
		signals.Logger(logger),
	)
	labels.Subscribe(func(context.Context, int) error {
		<-logged // as long as it takes
		return nil
	}, signals.Key("printer"))
	labels.Emit(ctx, 1)
	_ = labels.Close(ctx)
	// endregion

	// Output:
	// level=WARN msg="signals: slow listener" signal=labels listener=signals_test.ExampleSlowAfter.func1 key=printer site=example_async_test.go:300 lag=1
}

// told writes to standard output and then closes done.
type told struct{ done chan struct{} }

func (t told) Write(line []byte) (int, error) {
	defer close(t.done)
	return os.Stdout.Write(line)
}

// steady leaves out what is different each time, and the folder.
func steady(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey, "running":
		return slog.Attr{}
	case "site":
		a.Value = slog.StringValue(path.Base(a.Value.String()))
	}
	return a
}

// Emissions with the same key stay in order; those on other shards may run at
// the same time.
func ExampleNewSharded() {
	ctx := context.Background()
	// region sharded
	type Move struct{ Account, Cents int }
	moves := signals.NewSharded(4, func(m Move) uint64 { return uint64(m.Account) })

	var mu sync.Mutex // one listener, on several shards at once
	history := map[int][]int{}
	moves.AddListener(func(_ context.Context, m Move) {
		mu.Lock()
		defer mu.Unlock()
		history[m.Account] = append(history[m.Account], m.Cents)
	})
	for cents := 1; cents <= 3; cents++ {
		moves.Emit(ctx, Move{Account: 7, Cents: cents})
		moves.Emit(ctx, Move{Account: 8, Cents: -cents})
	}
	_ = moves.Close(ctx)
	fmt.Println(history[7], history[8])
	// endregion

	// Output:
	// [1 2 3] [-1 -2 -3]
}

// Done tells when a registration has ended, by whatever means.
func ExampleSubscription_Done() {
	ctx, stop := context.WithCancel(context.Background())
	// region done
	ticks := signals.New[int]()
	plugin := ticks.Subscribe(func(context.Context, int) error { return nil },
		signals.Key("plugin"), signals.Until(ctx))

	stop() // or Unsubscribe, RemoveListener, Reset, a Scope, Once, Close
	<-plugin.Done()
	fmt.Println("the plugin is gone:", !ticks.HasKey("plugin"))
	// endregion

	// Output:
	// the plugin is gone: true
}

// A listener that is stuck learns that a Close has given up on it.
func ExampleCancellable() {
	ctx := context.Background()
	// region cancellable
	uploads := signals.New[string](signals.Name("uploads"), signals.OnFailure(func(_ context.Context, f signals.Failure) {
		fmt.Println(f.Key, "of", f.Payload, "ended:", f.Err)
	}))
	uploads.Subscribe(func(ctx context.Context, file string) error {
		<-ctx.Done() // a request that is never answered
		return ctx.Err()
	}, signals.Cancellable(), signals.Key("upload"))
	uploads.Emit(ctx, "a.txt")

	patience, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	gaveUp := uploads.Close(patience) // its text names who is in the way
	fmt.Println(uploads.Close(ctx))   // it does end
	fmt.Println(errors.Is(gaveUp, context.DeadlineExceeded))
	// endregion

	// Output:
	// upload of a.txt ended: context canceled
	// <nil>
	// true
}

// A listener that comes late begins with the last value.
func ExampleRetain() {
	ctx := context.Background()
	// region retain
	limits := signals.New[int](signals.Name("limits"), signals.Retain(1))
	limits.Emit(ctx, 100)
	limits.Emit(ctx, 250) // nobody is there yet

	limits.Subscribe(func(_ context.Context, limit int) error {
		fmt.Println("limit:", limit)
		return nil
	}, signals.Key("api"))
	limits.Emit(ctx, 300)
	_ = limits.Close(ctx)
	// endregion

	// Output:
	// limit: 250
	// limit: 300
}

// A listener that counts what happens from now on wants nothing of before.
func ExampleFromNow() {
	ctx := context.Background()
	logins := signals.New[string](signals.Retain(10))
	logins.Emit(ctx, "ann")
	logins.Subscribe(func(_ context.Context, who string) error {
		fmt.Println("welcome,", who)
		return nil
	}, signals.FromNow())
	logins.Emit(ctx, "bob")
	_ = logins.Close(ctx)
	// Output:
	// welcome, bob
}

// A listener of batches gets what came while it handled the last one.
func ExampleAsyncSignal_SubscribeBatch() {
	ctx := context.Background()
	// region batch
	rows := signals.New[int]()
	began, goOn := make(chan struct{}), make(chan struct{})
	rows.SubscribeBatch(func(_ context.Context, batch []int) error {
		fmt.Println("insert", batch)
		if batch[0] == 1 {
			close(began)
			<-goOn // a slow insert
		}
		return nil
	}, signals.MaxBatch(3))

	rows.Emit(ctx, 1)
	<-began
	for row := 2; row <= 6; row++ {
		rows.Emit(ctx, row)
	}
	close(goOn)
	_ = rows.Close(ctx)
	// endregion

	// Output:
	// insert [1]
	// insert [2 3 4]
	// insert [5 6]
}

// A channel is for a consumer that selects over several sources.
func ExampleAsyncSignal_Chan() {
	ctx, stop := context.WithCancel(context.Background())
	// region chan
	orders, refunds := signals.New[int](), signals.New[int]()
	placed, refunded := orders.Chan(ctx), refunds.Chan(ctx)

	orders.Emit(ctx, 300)
	refunds.Emit(ctx, 100)
	orders.Emit(ctx, 50)

	balance := 0
	for range 3 {
		select {
		case cents := <-placed:
			balance += cents
		case cents := <-refunded:
			balance -= cents
		}
	}
	fmt.Println("balance:", balance)

	stop() // as both end with ctx
	_, open := <-placed
	fmt.Println("open:", open)
	// endregion

	// Output:
	// balance: 250
	// open: false
}
