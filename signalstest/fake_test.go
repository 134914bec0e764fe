package signalstest_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A fakeTB takes the place of the *testing.T of a test that is meant to fail.
type fakeTB struct {
	testing.TB

	mu       sync.Mutex
	messages []string
	cleanups []func()
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages = append(f.messages, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

func (f *fakeTB) Cleanup(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleanups = append(f.cleanups, fn)
}

// run runs test as the testing package would, cleanups included, and reports
// whether it came to its end.
func (f *fakeTB) run(test func(testing.TB)) (finished bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, fn := range slices.Backward(f.cleanups) {
				fn()
			}
		}()
		test(f)
		finished = true
	}()
	<-done
	return finished
}

// wantFatal runs a test that should end with the message.
func wantFatal(t *testing.T, message string, test func(testing.TB)) {
	t.Helper()
	var f fakeTB
	if f.run(test) {
		t.Errorf("the test went on")
	}
	f.want(t, message)
}

// wantError runs a test that should fail with the message and go on.
func wantError(t *testing.T, message string, test func(testing.TB)) {
	t.Helper()
	var f fakeTB
	if !f.run(test) {
		t.Errorf("the test was ended")
	}
	f.want(t, message)
}

func (f *fakeTB) want(t *testing.T, message string) {
	t.Helper()
	if got := strings.Join(f.messages, "\n"); got != message {
		t.Errorf("the test failed with\n%s\nwant\n%s", got, message)
	}
}
