package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"example.com/signals/inspector"
)

// harness plays the terminal of a model.
type harness struct {
	t     *testing.T
	m     *model
	asked []asking // what the model has asked for
	serve func(asking) (*inspector.Snapshot, error)
	quit  bool
}

func newHarness(t *testing.T) *harness {
	h := &harness{t: t, serve: func(a asking) (*inspector.Snapshot, error) { return sample(a, 4), nil }}
	h.m = newModel("localhost:8080", asking{order: "status", show: showTrouble}, time.Hour,
		func(a asking) (*inspector.Snapshot, error) {
			h.asked = append(h.asked, a)
			return h.serve(a)
		})
	h.run(h.m.request())
	return h
}

// run does what the model wants done, and whatever comes of that.
func (h *harness) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.QuitMsg:
		h.quit = true
	case answer:
		h.send(msg)
	default:
		h.t.Fatalf("the model wants a %T", msg)
	}
}

func (h *harness) send(msg tea.Msg) {
	_, cmd := h.m.Update(msg)
	h.run(cmd)
}

func key(name string) tea.KeyPressMsg {
	switch name {
	case "esc":
		return tea.KeyPressMsg{Code: tea.KeyEscape}
	case "enter":
		return tea.KeyPressMsg{Code: tea.KeyEnter}
	case "backspace":
		return tea.KeyPressMsg{Code: tea.KeyBackspace}
	case "space":
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	case "up":
		return tea.KeyPressMsg{Code: tea.KeyUp}
	case "down":
		return tea.KeyPressMsg{Code: tea.KeyDown}
	case "pgdown":
		return tea.KeyPressMsg{Code: tea.KeyPgDown}
	case "end":
		return tea.KeyPressMsg{Code: tea.KeyEnd}
	case "home":
		return tea.KeyPressMsg{Code: tea.KeyHome}
	case "ctrl+c":
		return tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: rune(name[0]), Text: name}
}

func (h *harness) press(keys ...string) {
	for _, k := range keys {
		h.send(key(k))
	}
}

func (h *harness) last() asking { return h.asked[len(h.asked)-1] }

func (h *harness) text() string { return ansi.Strip(h.m.View().Content) }

func (h *harness) shows(words ...string) {
	h.t.Helper()
	for _, w := range words {
		if !strings.Contains(h.text(), w) {
			h.t.Errorf("there is no %q on the screen:\n%s", w, h.text())
		}
	}
}

// sample is the state of n signals, the first of which has a stuck listener.
func sample(a asking, n int) *inspector.Snapshot {
	s := &inspector.Snapshot{Time: time.Unix(1e9, 0), Interval: 1, Matching: n,
		Totals: inspector.Totals{Signals: n, Listeners: 2 * n, Emissions: 100, EmitRate: 12345.6, DeliverRate: 250000, FailRate: 0.25, Pending: 1234567, Errors: 1}}
	for i := range n {
		sig := inspector.Signal{Name: fmt.Sprintf("signal.%03d", i), Status: inspector.StatusOK, EmitRate: 12345.6, DeliverRate: 250000, P99: 0.0123,
			Listeners: []inspector.Listener{{Function: "shop.(*Warehouse).reserveEverythingThereIs", Status: inspector.StatusOK}, {Key: "log", Status: inspector.StatusOK}}}
		if i == 0 {
			sig.Status, sig.Pending = inspector.StatusStuck, 1234567
			sig.Listeners[0].Status, sig.Listeners[0].Running, sig.Listeners[0].Lag = inspector.StatusStuck, 754, 1234567
		}
		s.Signals = append(s.Signals, sig)
	}
	s.Signals = s.Signals[min(a.offset, n):]
	if a.limit > 0 {
		s.Signals = s.Signals[:min(a.limit, len(s.Signals))]
	}
	return s
}

func TestScreenShowsTrouble(t *testing.T) {
	h := newHarness(t)
	h.shows("signals  localhost:8080", "4 signals, 8 listeners: 12346 emit/s, 250k call/s, 0.2 fail/s, 1.2M waiting",
		"1 error, 0 warnings", "SIGNAL", "EMIT/s", "P99", "signal.000", "stuck 12m", "1.2M", "12.3ms", "reserveEverythingThereIs"[12:], "q quit")
	if strings.Contains(h.text(), "  log") {
		t.Errorf("a listener in order is shown:\n%s", h.text())
	}
	h.press("l")
	h.shows("  log", "listeners: all")
	h.press("l")
	if strings.Contains(h.text(), "stuck 12m") {
		t.Errorf("listeners are shown:\n%s", h.text())
	}
	h.press("l")
	h.shows("stuck 12m")
}

// At 80 columns nothing is cut off but names; elsewhere nothing sticks out.
func TestScreenFits(t *testing.T) {
	h := newHarness(t)
	h.serve = func(a asking) (*inspector.Snapshot, error) { return sample(a, 1000), nil }
	h.m.err = errors.New(strings.Repeat("long ", 100))
	for _, size := range [][2]int{{80, 24}, {40, 10}, {200, 60}, {80, 5}, {20, 3}, {1, 1}, {0, 0}} {
		for _, keys := range [][]string{nil, {"l"}, {"?"}, {"?", "/"}, {"x", "esc"}} {
			h.press(keys...)
			h.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			lines := strings.Split(h.m.View().Content, "\n")
			if len(lines) > max(1, size[1]) {
				t.Errorf("%v: %d lines", size, len(lines))
			}
			for _, line := range lines {
				if w := ansi.StringWidth(line); w > size[0] {
					t.Errorf("%v: a line of %d columns: %q", size, w, line)
				}
			}
		}
	}
	h.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	for line := range strings.SplitSeq(h.text(), "\n") {
		if line = strings.TrimRight(line, " "); strings.HasPrefix(line, "sig") && strings.HasSuffix(line, "…") {
			t.Errorf("cut off: %q", line)
		}
	}
	h.m.pressed("?")
	for _, line := range helpLines {
		if ansi.StringWidth(line) > 80 || len(helpLines) > 24 {
			t.Errorf("the help does not fit: %q", line)
		}
	}
}

func TestKeysSort(t *testing.T) {
	h := newHarness(t)
	for _, test := range []struct{ key, want string }{
		{"f", "-failures"}, {"f", "failures"}, {"f", "-failures"}, {"n", "name"}, {"n", "-name"}, {"r", "-rate"}, {"e", "-emissions"},
		{"d", "-drops"}, {"w", "-pending"}, {"t", "-p99"}, {"s", "-status"}, {"s", "status"},
	} {
		h.press(test.key)
		if got := h.last().query().Get("sort"); got != test.want {
			t.Errorf("%s asks for %s, want %s", test.key, got, test.want)
		}
	}
	h.shows("reversed")
	for _, order := range orderKeys {
		if !slices.Contains(orders, order) {
			t.Errorf("there is no order %s", order)
		}
	}
}

func TestKeysQuit(t *testing.T) {
	for _, keys := range [][]string{{"q"}, {"ctrl+c"}, {"?", "q"}, {"?", "ctrl+c"}, {"/", "ctrl+c"}} {
		h := newHarness(t)
		h.press(keys...)
		if !h.quit {
			t.Errorf("%q does not quit", keys)
		}
	}
}

func TestFilterIsTyped(t *testing.T) {
	h := newHarness(t)
	h.press("/", "q", "s", "x", "backspace", "space", "n")
	if h.quit || h.last().filter != "qs n" {
		t.Errorf("asked for %q, want %q", h.last().filter, "qs n")
	}
	h.shows("filter: qs n")
	h.send(tea.PasteMsg{Content: "\x1b]0;x\x07"})
	mustBeClean(t, h.text())
	h.press("backspace", "backspace", "backspace", "backspace", "backspace", "backspace", "enter")
	h.shows("filter: qs", "q quit")
	h.press("esc")
	if h.last().filter != "" || h.last().query().Has("q") {
		t.Errorf("esc leaves the filter %q", h.last().filter)
	}
}

func TestFilterThatFindsNothing(t *testing.T) {
	h := newHarness(t)
	h.serve = func(a asking) (*inspector.Snapshot, error) {
		s := sample(a, 4)
		s.Signals, s.Matching = nil, 0
		return s, nil
	}
	h.press("/", "x", "pgdown", "enter", "down", "end")
	h.shows(`No signal has "x"`)
}

// While one request is under way the keys ask for one more, not for many.
func TestRequestsDoNotPileUp(t *testing.T) {
	h := newHarness(t)
	first := h.m.request()
	before := len(h.asked)
	h.press("f", "n", "r", "down", "/", "x")
	h.send(tea.WindowSizeMsg{Width: 100, Height: 30})
	if len(h.asked) != before {
		t.Fatalf("%d requests beside the one under way", len(h.asked)-before)
	}
	h.run(first)
	if len(h.asked) != before+2 {
		t.Errorf("%d requests, want the one under way and one more", len(h.asked)-before)
	}
	if q := h.last().query(); q.Get("sort") != "-rate" || q.Get("q") != "x" {
		t.Errorf("the last request is for %v", q)
	}
}

// beats tells whether the model asks at the next beat.
func (h *harness) beats() bool {
	before := h.m.asking
	h.m.Update(beat{})
	asks := !before && h.m.asking
	h.m.asking = false
	return asks
}

func TestPause(t *testing.T) {
	h := newHarness(t)
	if !h.beats() {
		t.Error("a beat asks for nothing")
	}
	h.press("space")
	h.shows("PAUSED")
	if h.beats() {
		t.Error("a beat asks for something in a pause")
	}
	before := len(h.asked)
	h.press("space")
	if len(h.asked) != before+1 || strings.Contains(h.text(), "PAUSED") || !h.beats() {
		t.Errorf("it does not go on:\n%s", h.text())
	}
}

func TestProgramThatGoesAndComesBack(t *testing.T) {
	h := newHarness(t)
	working := h.serve
	h.serve = func(asking) (*inspector.Snapshot, error) { return nil, errors.New("nothing listens\x1b[2J at all") }
	h.run(h.m.request())
	h.shows(`nothing listens\x1b[2J at all`, "signal.000", "stuck 12m") // and what was seen last
	if !h.beats() {
		t.Error("it does not ask again")
	}
	h.serve = working
	h.run(h.m.request())
	if strings.Contains(h.text(), "nothing listens") {
		t.Errorf("the error stays:\n%s", h.text())
	}
}

func TestScrolling(t *testing.T) {
	h := newHarness(t)
	n := 100
	h.serve = func(a asking) (*inspector.Snapshot, error) { return sample(a, n), nil }
	h.run(h.m.request())
	at := func(want int) {
		t.Helper()
		if h.last().offset != want {
			t.Errorf("at %d, want %d", h.last().offset, want)
		}
	}
	h.shows("1-18 of 100") // of 19 lines, one for the stuck listener
	h.press("up")
	at(0)
	h.press("down", "down")
	at(2)
	h.shows("3-21 of 100", "signal.002")
	h.press("pgdown")
	at(21)
	h.press("end")
	at(81)
	h.shows("82-100 of 100", "signal.099")
	h.press("home")
	at(0)
	h.press("end")
	n = 10 // the others have gone
	h.run(h.m.request())
	at(9)
	h.shows("signal.009")
	h.press("f")
	at(0)
}

func TestHelpShowsAllKeys(t *testing.T) {
	h := newHarness(t)
	h.press("?")
	h.shows("quit", "pause", "filter", "listeners", "scroll")
	for k := range orderKeys {
		h.shows("  " + k + " ")
	}
	h.press("x")
	h.shows("signal.000")
}
