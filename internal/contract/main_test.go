package contract_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain fails the run if goroutines are left when all tests have ended.
func TestMain(m *testing.M) {
	before := goroutines()
	code := m.Run()
	if code == 0 {
		code = leaks(before)
	}
	os.Exit(code)
}

// leaks waits until only the goroutines of before are left.
func leaks(before map[string]string) int {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(10 * time.Second)
	for {
		left := goroutines()
		for id, stack := range left {
			if before[id] != "" || strings.Contains(stack, "os/signal.") {
				delete(left, id)
			}
		}
		if len(left) == 0 {
			return 0
		}
		if time.Now().After(deadline) {
			fmt.Fprintf(os.Stderr, "%d goroutines are left after the tests:\n", len(left))
			for _, stack := range left {
				fmt.Fprintf(os.Stderr, "\n%s\n", stack)
			}
			return 1
		}
		<-tick.C
	}
}

// goroutines returns the stacks of all goroutines by their ids.
func goroutines() map[string]string {
	buf := make([]byte, 1<<16)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	stacks := map[string]string{}
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		stacks[id] = stack
	}
	return stacks
}

// goroutine returns the id of the calling goroutine.
func goroutine() string {
	buf := make([]byte, 64)
	return strings.Fields(string(buf[:runtime.Stack(buf, false)]))[1]
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// await waits until done is closed or gets a value.
func await[T any](t *testing.T, done <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-done:
		return v
	case <-timer.C:
		t.Fatalf("%s: still waiting after %v", what, patience)
		panic("unreachable")
	}
}

// mustPanic runs fn, which must panic with a text that holds all of texts.
func mustPanic(t *testing.T, fn func(), texts ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		v := recover()
		if v == nil {
			t.Errorf("no panic; want one that says %q", texts)
			return
		}
		got := fmt.Sprint(v)
		for _, text := range append([]string{"signals: "}, texts...) {
			if !strings.Contains(got, text) {
				t.Errorf("panic %q does not say %q", got, text)
			}
		}
	}()
	fn()
}

// logged is a slog handler that keeps what it is given, and its logger.
type logged struct {
	*slog.Logger
	mu    sync.Mutex
	lines []logLine
}

// logLine is one record: its message, its attributes as text.
type logLine struct {
	level slog.Level
	msg   string
	attrs map[string]string
}

func newLogged() *logged {
	l := &logged{}
	l.Logger = slog.New(logHandler{l})
	return l
}

func (l *logged) all() []logLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]logLine(nil), l.lines...)
}

type logHandler struct{ to *logged }

func (h logHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h logHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h logHandler) WithGroup(string) slog.Handler            { return h }

func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	line := logLine{r.Level, r.Message, map[string]string{}}
	r.Attrs(func(a slog.Attr) bool {
		line.attrs[a.Key] = a.Value.String()
		return true
	})
	h.to.mu.Lock()
	defer h.to.mu.Unlock()
	h.to.lines = append(h.to.lines, line)
	return nil
}
