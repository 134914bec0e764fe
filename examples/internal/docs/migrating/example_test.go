package migrating

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/signals"
)

var errDeclined = errors.New("card declined")

// What a signal returns wraps what the listener returned.
func Example_wrappedErrors() {
	ctx := context.Background()
	placed := signals.NewSync[int](signals.Name("order.placed"))
	placed.AddListenerWithErr(func(context.Context, int) error { return errDeclined }, "payment")
	// region wrapped
	err := placed.TryEmit(ctx, 1)
	fmt.Println(err)                         // says which listener failed, so it is not == errDeclined
	fmt.Println(errors.Is(err, errDeclined)) // but wraps it
	// endregion

	// Output:
	// signals: listener 0 "payment" of "order.placed" failed: card declined
	// true
}

// A sync Emit runs every listener, those that can fail too, and never stops.
func Example_emitCallsAll() {
	ctx := context.Background()
	// region emit
	placed := signals.NewSync[int](signals.OnFailure(func(_ context.Context, f signals.Failure) { fmt.Println("failed:", f.Err) }))
	placed.AddListenerWithErr(func(context.Context, int) error { return errDeclined })
	placed.AddListener(func(context.Context, int) { fmt.Println("called") })

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	placed.Emit(cancelled, 1) // both are called
	// endregion

	// Output:
	// failed: card declined
	// called
}

// EmitWait ends with its context, and refuses where it would wait for itself.
func Example_emitWait() {
	ctx := context.Background()
	quiet := func(context.Context, signals.Failure) {}
	// region emitwait
	indexed := signals.New[int](signals.OnFailure(quiet)) // it hears of them as well
	release := make(chan struct{})
	indexed.AddListenerWithErr(func(ctx context.Context, n int) error {
		if n == 1 {
			<-release // ignores its context
			return nil
		}
		return indexed.EmitWait(ctx, n+1) // inside its own listener
	})

	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	err := indexed.EmitWait(short, 1)
	fmt.Println(errors.Is(err, context.DeadlineExceeded)) // the listener is still running
	close(release)

	err = indexed.EmitWait(ctx, 2)
	fmt.Println(errors.Is(err, signals.ErrWouldDeadlock))
	// endregion

	// Output:
	// true
	// true
}

// TryEmit looks at the context before each listener, and not behind the last.
func Example_contextEndsInTheLastListener() {
	// region last
	placed := signals.NewSync[int](signals.Name("order.placed"))
	ctx, cancel := context.WithCancel(context.Background())
	placed.AddListener(func(context.Context, int) { cancel() })
	fmt.Println(placed.TryEmit(ctx, 1)) // nil: all listeners ran
	fmt.Println(placed.TryEmit(ctx, 1)) // an error: none did
	// endregion

	// Output:
	// <nil>
	// signals: "order.placed" stopped after 0 of 1 listener: context canceled
}

// An empty key is none, and Growth is not asked about an empty list.
func Example_emptyKeysAndGrowth() {
	// region empty
	s := signals.New[int](signals.Growth(func(currentCap int) int {
		fmt.Println("grow from", currentCap)
		return 2 * currentCap
	}))
	listen := func(context.Context, int) {}
	s.AddListener(listen, "")
	s.AddListener(listen, "")                                // not -1: an empty key is no key,
	fmt.Println(s.Len(), s.HasKey(""), s.RemoveListener("")) // and removes nobody
	// endregion

	// Output:
	// 2 false -1
}

// A program that returns from main takes what has been accepted with it.
func Example_mainReturns() {
	// region main
	mails := signals.New[string]()
	mails.AddListener(func(_ context.Context, to string) { fmt.Println("mail to", to) })
	mails.Emit(context.Background(), "ada") // returns before anything is sent

	_ = mails.Close(context.Background()) // without this the program may end first
	// endregion

	// Output:
	// mail to ada
}

// Listeners of one sync signal run at the same time if two goroutines emit: there
// is no lock around them, as there is in EventBus.
func Example_listenersMayRunAtOnce() {
	// region atonce
	var (
		mu    sync.Mutex // needed now: Publish used to hold the bus's
		total int
	)
	added := signals.NewSync[int]()
	added.AddListener(func(_ context.Context, n int) {
		mu.Lock()
		defer mu.Unlock()
		total += n
	})
	var wg sync.WaitGroup
	for n := range 10 {
		wg.Go(func() { added.Emit(context.Background(), n) })
	}
	wg.Wait()
	// endregion
	fmt.Println(total)

	// Output:
	// 45
}
