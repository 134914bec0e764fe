package signals

import (
	"context"
	"testing"
)

func TestAWaitThatGivesUpLeavesNothingBehind(t *testing.T) {
	s := New[int]()
	entered, release := make(chan struct{}), make(chan struct{})
	sub := s.Subscribe(func(context.Context, int) error { close(entered); <-release; return nil })
	s.Emit(t.Context(), 1)
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if sub.Wait(ctx) == nil {
			t.Fatal("Wait returned while a call was in flight")
		}
		if s.Drain(ctx) == nil {
			t.Fatal("Drain returned while a call was in flight")
		}
	}
	g := s.all()[0]
	g.mu.Lock()
	waits, barriers := len(sub.reg.(*entry[int]).readers[0].quieted), len(g.barriers)
	g.mu.Unlock()
	if waits != 0 || barriers != 0 {
		t.Errorf("%d Waits and %d Drains are remembered; want none", waits, barriers)
	}
	close(release)
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
