package inspector

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

func TestARemovedListenerThatStillRunsIsShownAndFoundWhenItIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus, StuckAfter(5*time.Second))
		defer i.Close()
		s := signals.Topic[int](bus, "s")
		gate := make(chan struct{})
		for range 2 { // a plugin that is loaded twice, and hangs twice
			plugin := s.Subscribe(waitFor(gate).listen, signals.Key("plugin"))
			s.Emit(t.Context(), 1)
			synctest.Wait()
			i.fresh()
			time.Sleep(time.Second)
			plugin.Unsubscribe()
		}
		s.AddListener(func(context.Context, int) {}, "fine")
		s.Emit(t.Context(), 1)
		synctest.Wait()
		wantKinds(t, "before it is stuck", i.at(time.Second), "info leaving s plugin")

		snap := getJSON[Snapshot](t, i, "snapshot.json")
		if len(snap.Signals) != 1 || snap.Totals.Leaving != 2 || snap.Signals[0].Status != StatusOK {
			t.Fatalf("%+v", snap)
		}
		var got []string
		for _, l := range snap.Signals[0].Leaving {
			got = append(got, fmt.Sprintf("%s %s %s %d %v", l.ID, l.Key, l.Status, l.InFlight, l.Running))
		}
		if want := "removed plugin plugin leaving 1 3, removed plugin#2 plugin leaving 1 2"; strings.Join(got, ", ") != want {
			t.Errorf("leaving: %q; want %q", got, want)
		}
		for _, page := range []string{"", "signal?signal=s"} {
			if text := words(get(t, i, page)); !strings.Contains(strings.ToLower(text), "removed") || !strings.Contains(text, "leaving in a call for 3s") {
				t.Errorf("page %q does not say who leaves:\n%s", page, text)
			}
		}

		d := i.at(4 * time.Second)
		wantKinds(t, "when it is stuck", d, "error stuck s plugin")
		f := d.Findings[0]
		if f.Count != 2 || f.Running != 7 || !strings.Contains(f.Text, "is removed, but a call of it has been running for 7s, and 1 other call too") {
			t.Errorf("%+v", f)
		}
		if got := i.state.byName["s"].Status; got != StatusStuck {
			t.Errorf("the signal is %s", got)
		}
		page := get(t, i, "stacks?signal=s&listener=removed+plugin")
		if !strings.Contains(page, "waitFor.listen") {
			t.Errorf("its stack is not shown:\n%s", words(page))
		}
		if text := get(t, i, "graph.dot"); !strings.Contains(text, "a removed listener is stuck for 7s") {
			t.Errorf("the wiring does not say it:\n%s", text)
		}
		close(gate)
		synctest.Wait()
		wantKinds(t, "when it has come back", i.at(time.Second))
		if s := getJSON[Snapshot](t, i, "snapshot.json"); s.Totals.Leaving != 0 || len(s.Signals[0].Leaving) != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestManyThatLeaveAreBoundedOnThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.Topic[int](bus, "s")
		gate := make(chan struct{})
		var connections []*signals.Subscription
		for n := range 300 {
			connections = append(connections, s.Subscribe(waitFor(gate).listen, signals.Key(fmt.Sprint("connection ", n))))
		}
		s.Emit(t.Context(), 1)
		synctest.Wait()
		for _, c := range connections {
			c.Unsubscribe()
		}
		i.fresh()
		if d := i.at(time.Minute); len(d.Findings) != 2 || d.Findings[0].Count != 300 { // and that nobody listens
			t.Errorf("%+v", d.Findings)
		}
		if n := strings.Count(get(t, i, ""), `>removed</span>`); n != pageListeners {
			t.Errorf("the page has %d rows of removed listeners; want %d", n, pageListeners)
		}
		if text := words(get(t, i, "")); !strings.Contains(text, "288 more rows") {
			t.Errorf("the page does not say how many more there are:\n%s", text)
		}
		close(gate)
		synctest.Wait()
	})
}

func TestVetoesAreApartFromFailuresAndNoFinding(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
	s.Subscribe(func(_ context.Context, n int) error {
		if n < 30 {
			return signals.Veto(fmt.Errorf("card %d declined", n))
		}
		return nil
	}, signals.Key("payment"))
	s.Subscribe(func(context.Context, int) error { return nil }, signals.Key("record"))
	for n := range 40 {
		if n == 30 {
			i.fresh()
			d := i.diagnosis(recent, false)
			wantKinds(t, "all were vetoed", d, "info silent s record")
			if text := d.Findings[0].Text; !strings.HasSuffix(text, "payment, which is called before it, said no 30 times, and TryEmit stops there") {
				t.Error(text)
			}
		}
		_ = s.TryEmit(t.Context(), n)
	}
	i.fresh()
	wantKinds(t, "most were vetoed", i.diagnosis(recent, false))
	snap := getJSON[Snapshot](t, i, "snapshot.json?sort=-vetoes")
	sig := snap.Signals[0]
	if snap.Totals.Vetoes != 30 || sig.Vetoes != 30 || sig.Listeners[0].Vetoes != 30 || sig.Failures != 0 || sig.Status != StatusOK {
		t.Errorf("%+v", snap)
	}
	for path, want := range map[string]string{"": "50 in all, 30 vetoes", "signal?signal=s": "Vetoes 30 Drops 0"} {
		if text := words(get(t, i, path)); !strings.Contains(text, want) {
			t.Errorf("page %q does not say %q:\n%s", path, want, text)
		}
	}
	if d := i.diagnosis(recent, false); d.Vetoes != 30 || !strings.Contains(get(t, i, "diagnosis"), "30 deliveries were vetoed, which is no failure.") {
		t.Errorf("the diagnosis has %d vetoes, or does not say so", d.Vetoes)
	}
	page := get(t, i, "")
	if strings.Contains(page, `class="bad"`) || !strings.Contains(page, `data-name="Vetoed">30</td>`) {
		t.Errorf("vetoes are not shown, or in the colour of failures:\n%s", page)
	}
}

func TestVetoesOfARowAreKeptWhenSomeOfItLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		var all []*signals.Subscription
		for range 3 {
			all = append(all, s.Subscribe(func(context.Context, int) error { return signals.Veto(context.Canceled) }))
		}
		_ = s.TryEmitAll(t.Context(), 1)
		i.at(time.Second)
		all[0].Unsubscribe()
		i.at(time.Second)
		if l := getJSON[Snapshot](t, i, "snapshot.json").Signals[0].Listeners; len(l) != 1 || l[0].Vetoes != 3 {
			t.Errorf("%+v", l)
		}
	})
}
