package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/inspector"
)

func TestDoctorFindsAStuckListener(t *testing.T) {
	url := shop(t, inspector.StuckAfter(time.Millisecond))
	var r result
	eventually(t, "doctor finds the stuck listener", func() bool {
		r = command(t, "doctor", "-wait", "0s", "-stacks", url)
		return strings.Contains(r.stdout, `warehouse of "stock.reserved" is stuck`)
	})
	if r.code != exitWrong || r.stderr != "" {
		t.Errorf("exit code %d, want 1; stderr %q", r.code, r.stderr)
	}
	for _, want := range []string{"error  ", "main_test.go:", ".waitFor(", "signals.", " error", " warning"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("there is no %q in\n%s", want, r.stdout)
		}
	}
	for line := range strings.Lines(r.stdout) {
		if strings.Contains(line, "is stuck") && strings.Contains(line, "waitFor") {
			t.Errorf("finding and stack share a line: %s", line)
		}
	}
}

func TestDoctorFindsAStuckListenerOfASyncSignal(t *testing.T) {
	bus := quietBus()
	url := serve(t, bus, inspector.StuckAfter(time.Millisecond))
	s := signals.NewSync[int](signals.Name("order.placed"), signals.OnBus(bus))
	release, done := make(chan struct{}), make(chan struct{})
	s.AddListener(func(context.Context, int) { waitFor(release) }, "warehouse")
	go func() {
		defer close(done)
		s.Emit(context.Background(), 1)
	}()
	var r result
	eventually(t, "doctor finds the stuck listener", func() bool {
		r = command(t, "doctor", "-wait", "0s", "-stacks", "-fail-on", "error", url)
		return strings.Contains(r.stdout, `warehouse of "order.placed" is stuck`)
	})
	if r.code != exitWrong || r.stderr != "" || !strings.Contains(r.stdout, "commands_test.go:") || !strings.Contains(r.stdout, ".waitFor(") {
		t.Errorf("exit code %d, want 1; stderr %q\n%s", r.code, r.stderr, r.stdout)
	}
	close(release)
	<-done
	eventually(t, "it is no longer found", func() bool { return command(t, "doctor", "-wait", "0s", url).code == exitOK })
}

func TestDoctorSaysJSON(t *testing.T) {
	url := shop(t, inspector.StuckAfter(time.Millisecond))
	eventually(t, "the diagnosis has the stuck listener", func() bool {
		r := command(t, "doctor", "-wait", "0s", "-json", url)
		var d inspector.Diagnosis
		if err := json.Unmarshal([]byte(r.stdout), &d); err != nil {
			t.Fatalf("%v: %s", err, r.stdout)
		}
		found := slices.ContainsFunc(d.Findings, func(f inspector.Finding) bool {
			return f.Kind == inspector.FindingStuck && f.Name == "warehouse"
		})
		return found && r.code == exitWrong
	})
}

func TestDoctorOfAHealthyProgram(t *testing.T) {
	bus := quietBus()
	url := serve(t, bus)
	s := signals.NewSync[int](signals.Name("order.placed"), signals.OnBus(bus))
	s.AddListener(func(context.Context, int) {}, "log")
	// A signal that was never emitted is a note, and not wrong.
	r := command(t, "doctor", "-wait", "0s", url)
	if r.code != exitOK || !strings.HasPrefix(r.stdout, "note  ") || !strings.Contains(r.stdout, "Nothing is wrong in the last minute.") {
		t.Errorf("with a note: exit code %d, %s%s", r.code, r.stdout, r.stderr)
	}
	s.Emit(t.Context(), 1)
	eventually(t, "there is no note", func() bool {
		r = command(t, "doctor", "-wait", "0s", url)
		return r.code == exitOK && r.stdout == "Nothing is wrong in the last minute.\n"
	})
}

func TestDoctorFailsOnWhatItIsTold(t *testing.T) {
	bus := quietBus()
	url := serve(t, bus)
	signals.NewSync[int](signals.Name("order.placed"), signals.OnBus(bus)).Emit(t.Context(), 1)
	eventually(t, "doctor warns", func() bool { return command(t, "doctor", "-wait", "0s", url).code == exitWrong })
	if r := command(t, "doctor", "-wait", "0s", "-fail-on", "error", url); r.code != exitOK || !strings.Contains(r.stdout, "warning  ") {
		t.Errorf("a warning with -fail-on error: exit code %d, %s", r.code, r.stdout)
	}
}

// A listener that does not keep up is only seen over time.
func TestDoctorWaits(t *testing.T) {
	url := serve(t, quietBus())
	if r := command(t, "doctor", "-wait", "10ms", url); r.code != exitOK {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
}

func TestGraphIsWrittenInTheFormatOfTheExtension(t *testing.T) {
	url := shop(t)
	check := map[string]func(string) bool{
		"wiring.svg":     isSVG,
		"WIRING.SVG":     isSVG,
		"wiring.dot":     func(s string) bool { return strings.HasPrefix(s, "digraph signals {") && strings.HasSuffix(s, "}\n") },
		"wiring.gv":      func(s string) bool { return strings.HasPrefix(s, "digraph signals {") },
		"wiring.mmd":     func(s string) bool { return strings.HasPrefix(s, "flowchart LR\n") },
		"wiring.mermaid": func(s string) bool { return strings.HasPrefix(s, "flowchart LR\n") },
		"wiring.json":    isGraph,
	}
	for name, is := range check {
		file := filepath.Join(t.TempDir(), name)
		if r := command(t, "graph", url, "-o", file); r.code != exitOK || r.stdout+r.stderr != "" {
			t.Errorf("%s: exit code %d, %s%s", name, r.code, r.stdout, r.stderr)
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil || !is(string(data)) || !strings.Contains(string(data), "warehouse") {
			t.Errorf("%s is not the graph: %v\n%s", name, err, data)
		}
	}
	for format, is := range map[string]func(string) bool{"svg": isSVG, "dot": check["wiring.dot"], "mmd": check["wiring.mmd"], "json": isGraph} {
		if r := command(t, "graph", "-format="+format, "-o", "-", url); r.code != exitOK || !is(r.stdout) {
			t.Errorf("%s on standard output: exit code %d, %s%s", format, r.code, r.stdout, r.stderr)
		}
	}
}

func isSVG(s string) bool {
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := d.Token(); err != nil {
			return errors.Is(err, io.EOF) && strings.HasPrefix(s, "<svg")
		}
	}
}

func isGraph(s string) bool {
	var g inspector.Graph
	return json.Unmarshal([]byte(s), &g) == nil && len(g.Nodes) > 0 && len(g.Edges) > 0
}

func TestGraphOfSomeSignals(t *testing.T) {
	url := shop(t)
	if r := command(t, "graph", "-format", "mmd", "-filter", "paid", url); !strings.Contains(r.stdout, "order.paid") || strings.Contains(r.stdout, "stock.reserved") {
		t.Errorf("with -filter paid: %s%s", r.stdout, r.stderr)
	}
	r := command(t, "graph", "-format", "json", "-limit", "1", url)
	var g inspector.Graph
	if err := json.Unmarshal([]byte(r.stdout), &g); err != nil || g.Omitted != 3 {
		t.Errorf("with -limit 1: %v, %d omitted, want 3", err, g.Omitted)
	}
}

// A file stays as it was if there is no new graph.
func TestGraphThatFailsWritesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "wiring.svg")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	failsWith(t, []string{"graph", "-o", file, answering(t, 200, "text/html", "<!doctype html>")})
	if data, err := os.ReadFile(file); err != nil || string(data) != "old" {
		t.Errorf("the file is now %q (%v)", data, err)
	}
	failsWith(t, []string{"graph", "-o", filepath.Join(file, "x.svg"), shop(t)}, "x.svg")
}

func TestTopPrintsABlockEachInterval(t *testing.T) {
	url := shop(t, inspector.StuckAfter(time.Millisecond))
	r := command(t, "top", "-n", "2", "-interval", "200ms", url)
	if r.code != exitOK || r.stderr != "" {
		t.Fatalf("exit code %d, %s", r.code, r.stderr)
	}
	blocks := strings.Split(strings.TrimSuffix(r.stdout, "\n\n"), "\n\n")
	if len(blocks) != 2 {
		t.Fatalf("%d blocks, want 2:\n%s", len(blocks), r.stdout)
	}
	mustBeClean(t, r.stdout)
	for _, b := range blocks {
		for _, want := range []string{"4 signals, 3 listeners", "SIGNAL  ", "order.placed", "stock.reserved"} {
			if !strings.Contains(b, want) {
				t.Errorf("there is no %q in\n%s", want, b)
			}
		}
	}
}

// row returns the cells of a line of top.
func row(text, name string) []string {
	for line := range strings.Lines(text) {
		if cells := strings.Fields(line); len(cells) > 0 && cells[0] == name {
			return cells[1:]
		}
	}
	return nil
}

func TestTopShowsWhatIsStuckAndWhatFails(t *testing.T) {
	url := shop(t, inspector.StuckAfter(time.Millisecond))
	var text string
	eventually(t, "top shows the trouble", func() bool {
		text = command(t, "top", "-n", "1", "-i", "200ms", url).stdout
		stuck, failing := row(text, "warehouse"), row(text, "gateway")
		return len(stuck) == 9 && stuck[0] == "stuck" && stuck[7] == "10" &&
			len(failing) == 8 && failing[0] == "failing" && failing[3] == "10"
	})
	if strings.Index(text, "stock.reserved") > strings.Index(text, "order.placed") {
		t.Errorf("the worst is not first:\n%s", text)
	}
	if row(text, "log") != nil {
		t.Errorf("a listener in order has a line:\n%s", text)
	}
	if text := command(t, "top", "-n", "1", "-i", "200ms", "-listeners", "all", url).stdout; row(text, "log") == nil {
		t.Errorf("-listeners all does not show all:\n%s", text)
	}
	if text := command(t, "top", "-n", "1", "-i", "200ms", "-listeners", "none", url).stdout; row(text, "warehouse") != nil {
		t.Errorf("-listeners none shows one:\n%s", text)
	}
}

func TestVetoesAreShownAndNotWrong(t *testing.T) {
	bus := quietBus()
	url := serve(t, bus)
	s := signals.NewSync[int](signals.Name("order.placed"), signals.OnBus(bus))
	s.Subscribe(func(context.Context, int) error { return signals.Veto(errors.New("declined")) }, signals.Key("payment"))
	for range 30 {
		_ = s.TryEmit(t.Context(), 1)
	}
	text := command(t, "top", "-n", "1", "-i", "200ms", "-listeners", "all", url).stdout
	if signal, listener := row(text, "order.placed"), row(text, "payment"); len(signal) != 9 || signal[5] != "30" || signal[4] != "·" ||
		len(listener) != 8 || listener[4] != "30" || listener[3] != "·" || !strings.Contains(text, "0 waiting, 30 vetoed") {
		t.Errorf("top does not show them:\n%s", text)
	}
	if r := command(t, "doctor", "-wait", "0s", url); r.code != exitOK || !strings.Contains(r.stdout, "Nothing is wrong") ||
		!strings.HasSuffix(r.stdout, "30 deliveries were vetoed since the signals were made, which is no failure.\n") {
		t.Errorf("doctor: exit code %d\n%s", r.code, r.stdout)
	}
}

func TestRemovedListenersThatStillRunAreShown(t *testing.T) {
	bus := quietBus()
	url := serve(t, bus, inspector.StuckAfter(time.Hour))
	s := signals.Topic[int](bus, "order.placed")
	release, begun := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release); _ = bus.Close(context.Background()) })
	plugin := s.Subscribe(func(context.Context, int) error { close(begun); waitFor(release); return nil }, signals.Key("plugin"))
	s.AddListener(func(context.Context, int) {}, "log")
	s.Emit(t.Context(), 1)
	<-begun
	plugin.Unsubscribe()
	text := command(t, "top", "-n", "1", "-i", "200ms", url).stdout
	if cells := row(text, "plugin"); len(cells) < 2 || cells[0] != "leaving" || !strings.Contains(text, ", 1 leaving") {
		t.Errorf("top does not show who leaves:\n%s", text)
	}
	if text := command(t, "top", "-n", "1", "-i", "200ms", "-listeners", "none", url).stdout; row(text, "plugin") != nil {
		t.Errorf("-listeners none shows one:\n%s", text)
	}
	var r result
	eventually(t, "doctor notes it", func() bool {
		r = command(t, "doctor", "-wait", "0s", url)
		return strings.Contains(r.stdout, `note     plugin of "order.placed" is removed, but a call of it has been running for `)
	})
	if r.code != exitOK {
		t.Errorf("exit code %d for a call that may still come back:\n%s", r.code, r.stdout)
	}
}

func TestAListenerThatIsStuckAndRemovedIsSaidToBeBoth(t *testing.T) {
	s := sample(asking{}, 1)
	s.Signals[0].Leaving = []inspector.Listener{{Key: "plugin", Status: inspector.StatusStuck, Running: 33}}
	if text := block(s, asking{show: showTrouble, order: "status"}); !slices.Equal(row(text, "plugin")[:3], []string{"removed", "stuck", "33s"}) {
		t.Errorf("\n%s", text)
	}
	s.Totals.Vetoes, s.Totals.Leaving = 2979, 1
	for width, want := range map[int]string{120: "waiting, 3k vetoed, 1 leaving", 70: "waiting, 3k vetoed, 1 leaving", 40: "1.2M waiting"} {
		want = strings.ReplaceAll(want, "3k", briefCount(2979))
		if text := totalsWithin(s, width); !strings.HasSuffix(text, want) || len(text) > width {
			t.Errorf("in %d columns: %q; want it to end with %q", width, text, want)
		}
	}
}

func TestTopSortsFiltersAndLimits(t *testing.T) {
	url := shop(t)
	names := func(args ...string) (found []string) {
		for line := range strings.Lines(command(t, append([]string{"top", "-n", "1", "-i", "200ms", "-listeners", "none", url}, args...)...).stdout) {
			if name, _, _ := strings.Cut(line, " "); strings.Contains(name, ".") {
				found = append(found, name)
			}
		}
		return found
	}
	for _, test := range []struct{ args, want string }{
		{"-sort name", "order.mailed order.paid order.placed stock.reserved"},
		{"-sort name -reverse", "stock.reserved order.placed order.paid order.mailed"},
		{"-sort name -limit 2", "order.mailed order.paid"},
		{"-sort name -filter placed", "order.placed"},
		{"-sort pending -limit 1", "stock.reserved"},
		{"-filter none.such", ""},
	} {
		eventually(t, test.args+" shows "+test.want, func() bool {
			return strings.Join(names(strings.Fields(test.args)...), " ") == test.want
		})
	}
	if text := command(t, "top", "-n", "1", "-i", "200ms", "-limit", "3", url).stdout; !strings.Contains(text, "and 1 more") {
		t.Errorf("it is not said that there is more:\n%s", text)
	}
	if text := command(t, "top", "-n", "1", "-i", "200ms", serve(t, quietBus())).stdout; !strings.Contains(text, "no signals") {
		t.Errorf("of an empty bus:\n%s", text)
	}
	for _, order := range orders {
		if r := command(t, "top", "-n", "1", "-i", "200ms", "-sort", order, url); r.code != exitOK {
			t.Errorf("-sort %s: %s", order, r.stderr)
		}
	}
}
