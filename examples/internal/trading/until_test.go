package trading

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"example.com/signals/examples/internal/trading/feedgen"
	"example.com/signals/examples/internal/trading/itch"
)

// silent is a reader that says when somebody reads, and then nothing.
type silent struct{ inside, goOn chan struct{} }

func (s silent) Read([]byte) (int, error) {
	close(s.inside)
	<-s.goOn
	return 0, io.EOF
}

func TestAFeedThatFallsSilentCanBeInterrupted(t *testing.T) {
	day := invented(t, feedgen.Config{Messages: 200, Stocks: 5, Seed: 1})
	s := silent{make(chan struct{}), make(chan struct{})}
	defer close(s.goOn)
	in := &input{bytes: io.MultiReader(bytes.NewReader(day), s)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := New(Config{})
	defer e.Close(context.Background())
	ended := make(chan Run, 1)
	go func() {
		run, err := e.Feed(ctx, itch.NewReader(in.until(ctx), false), Pace{})
		if err != nil {
			t.Error(err)
		}
		ended <- run
	}()
	<-s.inside
	cancel()
	select {
	case run := <-ended:
		if !run.Interrupted || run.Messages != 200 {
			t.Errorf("%d messages, interrupted %t", run.Messages, run.Interrupted)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it still reads")
	}
}
