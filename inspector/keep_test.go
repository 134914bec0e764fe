package inspector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

func TestTheLastFailuresAreKeptNewestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus, KeepFailures(3))
		defer i.Close()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		s.Subscribe(func(_ context.Context, n int) error { return fmt.Errorf("no %d", n) }, signals.Key("k"))
		for n := range 5 {
			if n%2 == 0 {
				s.Emit(t.Context(), n)
			} else {
				_ = s.TryEmit(t.Context(), n)
			}
		}
		log := getJSON[FailureLog](t, i, "failures.json")
		var got []string
		for _, f := range log.Failures {
			got = append(got, f.Error)
		}
		if log.Total != 5 || strings.Join(got, ", ") != "no 4, no 3, no 2" {
			t.Errorf("%d in all, kept %q", log.Total, got)
		}
		f := log.Failures[0]
		if f.Signal != "s" || f.Key != "k" || !strings.HasPrefix(f.Site, "inspector/keep_test.go:") || f.Panic || f.Stack != "" {
			t.Errorf("%+v", f)
		}
		for n := range 1000 { // a storm: counted, not kept
			s.Emit(t.Context(), n)
		}
		if log := i.failures.list(query{}, false); log.Total != 1005 || log.Failures[0].Error != "no 94" {
			t.Errorf("after a storm: %d in all, the last %q", log.Total, log.Failures[0].Error)
		}
		time.Sleep(time.Second)
		s.Emit(t.Context(), 7)
		if got := i.failures.list(query{limit: 1}, false).Failures[0].Error; got != "no 7" {
			t.Errorf("a second later: %q", got)
		}
		if got := i.failures.list(query{signal: "other"}, false).Failures; len(got) != 0 {
			t.Errorf("of another signal: %v", got)
		}
	})
}

func TestAPanicIsKeptWithTheStackOfTheListener(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
	s.AddListener(panics)
	s.Emit(t.Context(), 1)
	f := i.failures.list(query{limit: 1}, false).Failures[0]
	lines := strings.Split(f.Stack, "\n")
	if !f.Panic || f.Error != "panic: oh" || len(lines) < 4 || !strings.HasPrefix(lines[1], "panic(") || !strings.Contains(lines[3], "inspector.panics") {
		t.Errorf("%v %q\n%s", f.Panic, f.Error, f.Stack)
	}
}

func panics(context.Context, int) { panic("oh") }

func TestARefusedEmissionIsAFailureWithoutAListener(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	s := signals.Topic[int](bus, "s")
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s2 := signals.Topic[int](bus, "s2", signals.Capacity(1, signals.Reject))
	gate := make(chan struct{})
	s2.AddListener(func(context.Context, int) { <-gate })
	s2.Emit(t.Context(), 1)
	s2.Emit(t.Context(), 2)
	close(gate)
	if err := bus.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := i.failures.list(query{limit: 1}, false).Failures
	if len(f) != 1 || f[0].Function != "" || f[0].Signal != "s2" || !strings.Contains(get(t, i, "failures"), "refused") {
		t.Errorf("%+v", f)
	}
}

func TestTheLastPayloadsOfTheNamedSignalsAreKept(t *testing.T) {
	bus := quietBus()
	i := open(t, bus, Payloads(2, "a", "c"), Authorize(all))
	for _, name := range []string{"a", "b", "c"} {
		s := signals.Topic[string](bus, name)
		for n := range 3 {
			s.Emit(t.Context(), fmt.Sprint(name, n))
		}
	}
	if err := bus.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "a2 a1", "b": "", "c": "c2 c1", "d": ""} {
		var got []string
		for _, p := range getJSON[Tail](t, i, "payloads.json?signal="+name).Payloads {
			got = append(got, p.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
}

type secretly struct{ hidden any }
type shouting int

func (shouting) String() string { return "AAA" }

type pointy struct{ N int }

func (*pointy) String() string { panic("locks, perhaps") }

type bad int

func (bad) String() string { panic("no") }

func TestPayloadsOfAnyKindAreDescribedWithinBounds(t *testing.T) {
	loop := map[string]any{}
	loop["me"] = loop
	type node struct{ Next *node }
	ring := &node{}
	ring.Next = ring
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		payload any
		want    string
	}{
		{nil, "nil"},
		{7, "7"},
		{"text", "text"},
		{struct {
			A string
			B []int
		}{"x", []int{1, 2}}, `{A:"x" B:[1 2]}`},
		{&struct{ P *int }{}, "&{P:nil}"},
		{map[string]int{"a": 1}, `map["a":1]`},
		{[]byte("abc"), "3 bytes"},
		{make([]int, 100), "[" + strings.Repeat("0 ", maxItems) + "... 84 more]"},
		{secretly{map[int]bool{1: true}}, "{hidden:map[1:true]}"},
		{shouting(1), "AAA"},
		{&pointy{3}, "(*inspector.pointy: its String panicked)"},
		{errors.New("an error"), "an error"},
		{at, at.String()},
		{[]time.Duration{time.Second}, "[1s]"},
		{bad(1), "(inspector.bad: its String panicked)"},
		{ring, "&{Next:&{Next:...}}"},
		{strings.Repeat("x", 5000), strings.Repeat("x", 1024)},
	} {
		if got := describe(c.payload); got != c.want {
			t.Errorf("%T: %q; want %q", c.payload, got, c.want)
		}
	}
	if got := describe(loop); len(got) > maxPayload+8 {
		t.Errorf("a map in itself: %d bytes", len(got))
	}
	if got := describe([]string{strings.Repeat("x", 5000), "y"}); len(got) > maxPayload+8 {
		t.Errorf("a long text: %d bytes", len(got))
	}
}

func TestCallSitesAreSampledAfterTheFirstFew(t *testing.T) {
	var c callSites
	c.every = 1 << 30 // the rest is never looked at
	info := &signals.SignalInfo{Name: "s"}
	for range 1000 {
		c.emitted(t.Context(), info)
	}
	sites := c.all()["s"]
	if len(sites) != 1 || sites[0].weight != firstFew {
		t.Errorf("%+v; want one call site with %d emissions", sites, firstFew)
	}
	var all callSites
	all.every = 1
	for range 1000 {
		all.emitted(t.Context(), info)
	}
	if got := all.all()["s"][0].weight; got != 1000 {
		t.Errorf("with 1 in 1: %d; want 1000", got)
	}
}

func TestEmissionsAreHeardForAMomentAfterEachSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus, CallSites(2))
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		listens := func() bool {
			i.sites.mu.Lock()
			defer i.sites.mu.Unlock()
			return i.sites.stop != nil
		}
		emit := func() {
			for n := range 1000 {
				s.Emit(t.Context(), n)
			}
		}
		emit()
		if !listens() {
			t.Error("it does not listen for a moment at least")
		}
		time.Sleep(time.Second)
		emit()
		if listens() {
			t.Error("it listens on when it has heard enough")
		}
		i.fresh()
		if !listens() {
			t.Error("it does not listen after the next sample")
		}
		i.Close()
		i.fresh()
		if listens() {
			t.Error("it listens after Close")
		}
	})
}

func TestWithoutCallSitesNobodyIsToldOfEmissions(t *testing.T) {
	bus := quietBus()
	i := open(t, bus, CallSites(0))
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
	s.Emit(t.Context(), 1)
	if got := i.sites.all(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if g := getJSON[Graph](t, i, "graph.json"); len(g.Nodes) != 1 {
		t.Errorf("%+v; want the signal alone", g.Nodes)
	}
}
