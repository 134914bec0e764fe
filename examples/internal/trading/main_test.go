package trading

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"example.com/signals/examples/internal/trading/feedgen"
	"example.com/signals/examples/internal/trading/itch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quiet is a logger for tests that expect failures.
var quiet = slog.New(slog.DiscardHandler)

// invented is a day as a stream.
func invented(t testing.TB, cfg feedgen.Config) []byte {
	t.Helper()
	g := feedgen.New(cfg)
	var m itch.Message
	var all []byte
	for {
		switch err := g.Next(&m); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = m.AppendFrame(all)
	}
}

// feed feeds a stream to an engine and closes it.
func feed(t testing.TB, e *Engine, stream []byte, pace Pace) Run {
	t.Helper()
	run, err := e.Feed(context.Background(), itch.NewReader(bytes.NewReader(stream), false), pace)
	if err := errors.Join(err, e.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	return run
}

// messages is a source of a few.
type messages []itch.Message

func (s *messages) Next(m *itch.Message) error {
	if len(*s) == 0 {
		return io.EOF
	}
	*m, *s = (*s)[0], (*s)[1:]
	return nil
}

// sent feeds a few messages and returns when they are in the books.
func sent(t *testing.T, e *Engine, all ...itch.Message) {
	t.Helper()
	src := messages(all)
	if _, err := e.Feed(t.Context(), &src, Pace{}); err != nil {
		t.Fatal(err)
	}
}
