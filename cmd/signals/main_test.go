package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/inspector"
)

// binary builds the command, once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	file := filepath.Join(scratch, "signals.exe")
	out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return file, nil
})

var scratch string // for the binary

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "signals")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func build(t *testing.T) string {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// patient is how long a test waits for what must happen.
const patient = 60 * time.Second

// eventually waits until a condition is met.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(patient)
	defer deadline.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("still waiting until %s", what)
		}
	}
}

type result struct {
	code           int
	stdout, stderr string
}

// command runs the command within the test.
func command(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// failsWith runs a command that must fail with one line that has all these
// words, and returns the line.
func failsWith(t *testing.T, args []string, words ...string) string {
	t.Helper()
	r := command(t, args...)
	if r.code != exitError || r.stdout != "" || strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "signals: ") {
		t.Errorf("signals %q: exit code %d, stdout %q, stderr %q; want 2, nothing, and a line", args, r.code, r.stdout, r.stderr)
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			t.Errorf("signals %q says %q, and nothing of %q", args, r.stderr, w)
		}
	}
	mustBeClean(t, r.stderr)
	return r.stderr
}

// mustBeClean fails if a text has something that a terminal may obey.
func mustBeClean(t *testing.T, text string) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		for _, r := range strings.ReplaceAll(line, "\t", "") {
			if !strconv.IsPrint(r) {
				t.Fatalf("there is a %q in %q", r, line)
			}
		}
	}
}

// serve mounts the inspector of a bus and returns its URL.
func serve(t *testing.T, bus *signals.Bus, opts ...inspector.Option) string {
	t.Helper()
	insp := inspector.New(bus, opts...)
	mux := http.NewServeMux()
	mux.Handle("/debug/signals/", http.StripPrefix("/debug/signals", insp))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(insp.Close)
	return server.URL + "/debug/signals/"
}

// answering serves one answer, whatever is asked.
func answering(t *testing.T, code int, kind, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func quietBus() *signals.Bus {
	return signals.NewBus(signals.OnFailure(func(context.Context, signals.Failure) {}))
}

// shop serves the inspector of four signals: one in order, one with a listener
// that fails, one that nobody listens to, and one with a stuck listener. Ten
// emissions of each are made when the inspector is there to see them.
func shop(t *testing.T, opts ...inspector.Option) (url string) {
	t.Helper()
	bus := quietBus()
	made := func(name string) *signals.AsyncSignal[int] { return signals.Topic[int](bus, name) }
	placed, paid, mailed, stock := made("order.placed"), made("order.paid"), made("order.mailed"), made("stock.reserved")
	placed.AddListener(func(context.Context, int) {}, "log")
	paid.AddListenerWithErr(func(context.Context, int) error { return errors.New("declined") }, "gateway")
	release := make(chan struct{})
	stock.AddListener(func(context.Context, int) { waitFor(release) }, "warehouse")
	t.Cleanup(func() {
		close(release)
		_ = bus.Close(context.Background())
	})
	url = serve(t, bus, opts...)
	for i := range 10 {
		for _, s := range []*signals.AsyncSignal[int]{placed, paid, mailed, stock} {
			s.Emit(t.Context(), i)
		}
	}
	return url
}

// waitFor is what the stack of a stuck listener shows.
//
//go:noinline
func waitFor(c <-chan struct{}) { <-c }
