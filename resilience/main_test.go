package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// Every test that waits runs in a synctest bubble: its clock is fake, and the
// test fails if a goroutine is left when it ends.

var errDown = errors.New("down")

// script is a listener that answers as told, then succeeds, and notes when it
// was called.
type script struct {
	mu      sync.Mutex
	answers []error
	calls   []time.Time
}

func answers(errs ...error) *script { return &script{answers: errs} }

func (s *script) listen(context.Context, int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, time.Now())
	if len(s.answers) == 0 {
		return nil
	}
	err := s.answers[0]
	s.answers = s.answers[1:]
	return err
}

func (s *script) n() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// times returns err n times.
func times(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func panics(context.Context, int) error { panic("boom") }

func fails(context.Context, int) error { return errDown }

func succeeds(context.Context, int) error { return nil }

// caught calls fn and returns what it panics with.
func caught(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

// exited calls fn on a goroutine of its own and reports whether it ended by
// runtime.Goexit.
func exited(fn func()) bool {
	gone := make(chan bool)
	go func() {
		left := true
		defer func() { gone <- left }()
		fn()
		left = false
	}()
	return <-gone
}

// failures is a failure handler that keeps what it gets.
type failures struct {
	mu  sync.Mutex
	all []signals.Failure
}

func (f *failures) handle(_ context.Context, got signals.Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, got)
}

func (f *failures) got() []signals.Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]signals.Failure(nil), f.all...)
}

func TestWhatMakesNoSensePanicsAtOnce(t *testing.T) {
	for want, fn := range misuses {
		v := caught(fn)
		if v == nil {
			t.Errorf("no panic; want one about %q", want)
		} else if text := fmt.Sprint(v); !strings.HasPrefix(text, "resilience: ") || !strings.Contains(text, want) {
			t.Errorf("panic %q; want one about %q", text, want)
		}
	}
}

// bubble is synctest.Test.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}
