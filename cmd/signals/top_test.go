package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"example.com/signals"
	"example.com/signals/inspector"
)

func TestTheFirstBlockHasRates(t *testing.T) {
	bus := quietBus()
	url := serve(t, bus)
	s := signals.NewSync[int](signals.Name("order.placed"), signals.OnBus(bus))
	s.AddListener(func(context.Context, int) {}, "log")
	ctx, cancel := context.WithCancel(t.Context())
	var emitting sync.WaitGroup
	emitting.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.Emit(ctx, 1)
			case <-ctx.Done():
				return
			}
		}
	})
	defer emitting.Wait()
	defer cancel()
	r := command(t, "top", "-n", "1", "-i", "300ms", url)
	if strings.Count(r.stdout, "SIGNAL") != 1 || !strings.Contains(r.stdout, "rates over 0.") {
		t.Errorf("want one block, with rates over the interval:\n%s", r.stdout)
	}
	if cells := row(r.stdout, "order.placed"); len(cells) < 2 || cells[1] == "·" {
		t.Errorf("the block has no rate:\n%s", r.stdout)
	}
}

func TestTopWritesALineOfJSONEachInterval(t *testing.T) {
	r := command(t, "top", "-n", "2", "-i", "200ms", "-json", shop(t))
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if r.code != exitOK || len(lines) != 2 {
		t.Fatalf("%+v; want two lines", r)
	}
	for _, line := range lines {
		var s inspector.Snapshot
		if err := json.Unmarshal([]byte(line), &s); err != nil || len(s.Signals) != 4 || s.Interval == 0 {
			t.Errorf("%v: %s", err, line)
		}
	}
	if r := command(t, "graph", "-json", shop(t)); !isGraph(r.stdout) {
		t.Errorf("graph -json: %+v", r)
	}
}

// syncBuffer can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestTopGoesOnWhenTheProgramRestarts(t *testing.T) {
	insp := inspector.New(quietBus())
	t.Cleanup(insp.Close)
	start := func(address string) (string, func()) {
		var l net.Listener
		eventually(t, "the port is free", func() (ok bool) {
			var err error
			l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
			return err == nil
		})
		server := &http.Server{Handler: insp}
		go func() { _ = server.Serve(l) }()
		return l.Addr().String(), func() { _ = server.Close() }
	}
	address, stop := start("127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs syncBuffer
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"top", "-i", "200ms", address}, &out, &errs) }()
	blocks := func() int { return strings.Count(out.String(), "The bus has no signals") }
	eventually(t, "top prints", func() bool { return blocks() > 0 })
	stop()
	eventually(t, "top says that there is no answer", func() bool { return strings.Contains(errs.String(), "trying again") })
	before := blocks()
	_, stop = start(address)
	defer stop()
	eventually(t, "top prints again", func() bool { return blocks() > before })
	cancel()
	if c := <-code; c != exitOK {
		t.Errorf("exit code %d", c)
	}
	if n := strings.Count(errs.String(), "\n"); n != 1 {
		t.Errorf("%d lines about one restart: %s", n, errs.String())
	}
}

func TestTopWithANumberEndsWhenTheProgramStaysAway(t *testing.T) {
	var served atomic.Int32
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if served.Add(1) > 1 {
			http.Error(w, "gone", http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte(`{"time":"2026-01-02T03:04:05Z","signals":[]}`))
	})}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	if r := command(t, "top", "-n", "1", "-i", "200ms", "-timeout", "300ms", l.Addr().String()); r.code != exitError || !strings.Contains(r.stderr, "502") {
		t.Errorf("%+v", r)
	}
}

func TestNarrowTerminalsKeepWhatMattersMost(t *testing.T) {
	titles := func(width int) (all []string) {
		for _, c := range newScreenTable(width, "").columns {
			all = append(all, c.title)
		}
		return all
	}
	for width, want := range map[int][]string{
		200: {"STATUS", "EMIT/s", "CALL/s", "FAIL/s", "FAILED", "VETOES", "DROPS", "WAITS", "P99"},
		80:  {"STATUS", "EMIT/s", "CALL/s", "FAIL/s", "FAILED", "DROPS", "WAITS", "P99"},
		60:  {"STATUS", "EMIT/s", "FAIL/s", "FAILED", "WAITS"},
		50:  {"STATUS", "EMIT/s", "FAIL/s", "WAITS"},
		20:  {"STATUS"},
	} {
		if got := titles(width); !slices.Equal(got, want) {
			t.Errorf("at %d columns: %q; want %q", width, got, want)
		}
	}
	if got := newScreenTable(80, "vetoes").columns; !slices.ContainsFunc(got, func(c column) bool { return c.title == "VETOES" }) {
		t.Error("the column that it is ordered by is left out")
	}
	s := sample(asking{}, 1)
	s.Signals[0].Listeners[0].Registrations = 5000
	tab := newScreenTable(50, "status")
	for _, line := range append(tab.signal(&s.Signals[0], showAll), tab.head()) {
		if w := ansi.StringWidth(line); w > 50 {
			t.Errorf("%d columns: %q", w, line)
		}
	}
	if lines := tab.signal(&s.Signals[0], showAll); !strings.Contains(ansi.Strip(lines[1]), "×5000 ") {
		t.Errorf("the row does not say of how many it is: %q", ansi.Strip(lines[1]))
	}
}

func TestLocalesWithoutUTF8AreASCII(t *testing.T) {
	for locale, want := range map[[3]string]bool{
		{"", "", ""}: true, {"C", "", "en_US.UTF-8"}: true, {"", "", "en_US.UTF-8"}: false, {"", "de_DE.utf8", "C"}: false,
		{"C.UTF-8", "", ""}: false, {"", "POSIX", "en_US.UTF-8"}: true, {"de_DE.ISO-8859-1", "", ""}: true,
	} {
		env := map[string]string{"LC_ALL": locale[0], "LC_CTYPE": locale[1], "LANG": locale[2]}
		if got := wantsASCII(func(name string) string { return env[name] }); got != want {
			t.Errorf("%q: %v; want %v", locale, got, want)
		}
	}
	ascii = true
	defer func() { ascii = false }()
	bus := quietBus()
	url := serve(t, bus, inspector.StuckAfter(time.Millisecond))
	s := signals.NewSync[int](signals.Name("größe·"), signals.OnBus(bus))
	s.AddListener(func(context.Context, int) { panic("ö") }, "ключ")
	s.Emit(t.Context(), 1)
	h := newHarness(t)
	h.serve = func(a asking) (*inspector.Snapshot, error) { return sample(a, 50), nil }
	h.press("/", "x", "enter", "l", "?")
	help := h.m.View().Content
	h.press("x", "/")
	for name, text := range map[string]string{
		"top":    command(t, "top", "-n", "1", "-i", "200ms", "-listeners", "all", url).stdout,
		"doctor": command(t, "doctor", "-wait", "0s", url).stdout,
		"error":  command(t, "doctor", answering(t, 404, "text/plain", "nö")).stderr,
		"screen": h.m.View().Content, "help": help,
	} {
		if i := strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }); i >= 0 || text == "" {
			t.Errorf("%s has %q in\n%s", name, text[max(i, 0):min(len(text), max(i, 0)+4)], text)
		}
	}
	if text := command(t, "graph", "-format", "dot", url).stdout; !strings.Contains(text, "größe") {
		t.Errorf("a file depends on who looks:\n%s", text)
	}
}
