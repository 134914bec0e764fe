package signals_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/signals"
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
