package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

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
