package signals_test

import (
	"context"
	"log/slog"
	"os"
	"path"
	"time"

	"example.com/signals"
)

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
	// level=WARN msg="signals: slow listener" signal=labels listener=signals_test.ExampleSlowAfter.func1 key=printer site=example_slow_after_test.go:25 lag=1
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
