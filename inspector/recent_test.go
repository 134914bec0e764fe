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

func TestFailuresOfListenersThatAreGoneAreOfTheSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		once := signals.NewSync[int](signals.Name("once"), signals.OnBus(bus))
		removed := signals.NewSync[int](signals.Name("removed"), signals.OnBus(bus))
		for n := range 1000 {
			once.Subscribe(func(context.Context, int) error { panic("oh") }, signals.Once())
			once.Emit(t.Context(), n)
			sub := removed.Subscribe(func(context.Context, int) error { return errors.New("no") }, signals.Key(fmt.Sprint("key ", n)))
			removed.Emit(t.Context(), n)
			sub.Unsubscribe()
		}
		time.Sleep(20 * time.Second) // and nobody looks
		d := getJSON[Diagnosis](t, i, "diagnosis.json")
		wantKinds(t, "after 1,000 panics", d, "error failing once", "error failing removed", "warning unheard once", "warning unheard removed")
		if f := d.Findings[0]; f.Count != 1000 || f.Status != StatusFailing || !strings.Contains(f.Text, "failed 1,000 times in the last minute") ||
			!strings.Contains(f.Text, "inspector/recent_test.go:") || !strings.Contains(f.Text, "panic: oh") || f.Advice == "" {
			t.Errorf("%+v", f)
		}
		s := i.snapshot(query{limit: -1}).Signals[0]
		if s.Status != StatusFailing || s.Gone != 1000 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
		d = getJSON[Diagnosis](t, i, "diagnosis.json")
		wantKinds(t, "a minute later", d, "info unheard once", "info unheard removed", "info failing once", "info failing removed")
		if text := d.Findings[2].Text; !strings.Contains(text, "failed 1,000 times since it was made, none of them in the last minute") {
			t.Error(text)
		}
	})
}

func TestAnOldFailureIsANote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		s.Subscribe(func(context.Context, int) error { return errors.New("no") }, signals.Key("k"))
		s.Emit(t.Context(), 1)
		time.Sleep(10 * time.Minute) // and nobody looks
		wantKinds(t, "after ten minutes", getJSON[Diagnosis](t, i, "diagnosis.json?wait=3s"), "info failing s k")
	})
}

func TestTheDiagnosisSeesOnlyItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		s.Subscribe(func(_ context.Context, n int) error {
			if n == 1 {
				return errors.New("no")
			}
			return nil
		}, signals.Key("k"))
		for n := range 10 {
			s.Emit(t.Context(), n)
		}
		time.Sleep(30 * time.Second)
		d := getJSON[Diagnosis](t, i, "diagnosis.json")
		wantKinds(t, "in a minute", d, "warning failing s k")
		if text := d.Findings[0].Text; !strings.Contains(text, "in the last 30s") && !strings.Contains(text, "in the last minute") {
			t.Error(text)
		}
		time.Sleep(time.Second)
		d = getJSON[Diagnosis](t, i, "diagnosis.json?window=20s")
		wantKinds(t, "in twenty seconds", d, "info failing s k")
		if d.Window != 20 || !strings.Contains(d.Findings[0].Text, "none of them in the last 20s") {
			t.Errorf("%+v", d)
		}
	})
}

func TestWhoIsNotCalledIsToldWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		s.Subscribe(func(context.Context, int) error { return errors.New("no") }, signals.Key("first"))
		s.Subscribe(func(context.Context, int) error { return nil }, signals.Key("second"))
		f := signals.NewSync[int](signals.Name("f"), signals.OnBus(bus))
		f.Subscribe(func(context.Context, int) error { return nil }, signals.Key("filtered"), signals.Filter(func(int) bool { return false }))
		if s.TryEmit(t.Context(), 1) == nil {
			t.Fatal("it does not fail")
		}
		f.Emit(t.Context(), 1)
		time.Sleep(time.Second)
		d := getJSON[Diagnosis](t, i, "diagnosis.json")
		wantKinds(t, "a listener behind one that fails", d, "error failing s first", "info silent s second", "info silent f filtered")
		if text := d.Findings[1].Text; !strings.Contains(text, "first, which is called before it, failed 1 time") || strings.Contains(text, "Filter") {
			t.Error(text)
		}
		if text := d.Findings[2].Text; !strings.Contains(text, "its Filter passes nothing") {
			t.Error(text)
		}
	})
}

func TestRefusalsSayWhatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		gate := make(chan struct{})
		full := signals.Topic[int](bus, "full", signals.Capacity(1, signals.Reject))
		full.AddListener(func(context.Context, int) { <-gate }, "l")
		limited := signals.Topic[int](bus, "limited")
		limited.AddListener(func(context.Context, int) {}, "l")
		tried := signals.Topic[int](bus, "tried", signals.Capacity(1, signals.Reject))
		tried.AddListener(func(context.Context, int) { <-gate }, "l")
		for range 3 {
			full.Emit(t.Context(), 1)
			limited.Emit(t.Context(), 1)
			limited.Refuse(t.Context(), 1, errors.New("no more than 5 a second"))
			_ = tried.Offer(t.Context(), 1)
		}
		time.Sleep(time.Second)
		d := getJSON[Diagnosis](t, i, "diagnosis.json")
		got := map[string]string{}
		for _, f := range d.Findings {
			if f.Kind == FindingRefusals {
				got[f.Signal] = f.Text
			}
		}
		for signal, want := range map[string]string{"full": "it was at its Capacity", "limited": "no more than 5 a second", "tried": "why, their callers were told"} {
			if !strings.HasSuffix(got[signal], want) {
				t.Errorf("%s: %q; want it to end with %q", signal, got[signal], want)
			}
		}
		close(gate)
		synctest.Wait()
	})
}

func TestFindingsThatAreWrongSayWhatToDo(t *testing.T) {
	for name, advice := range map[string]string{
		"stuck": adviceStuck, "candidates": adviceCandidates, "failing": adviceFailing, "gone": adviceGone, "lag": adviceLag, "drops": adviceDrops,
		"capacity": adviceCapacity, "closed": adviceClosed, "refused": adviceRefused, "told": adviceTold, "unheard": adviceUnheard,
	} {
		if !strings.HasSuffix(advice, ".") {
			t.Errorf("%s: %q", name, advice)
		}
	}
	bus := quietBus()
	i := open(t, bus)
	fill(t, bus)
	i.fresh()
	for _, f := range i.diagnosis(recent, false).Findings {
		if f.Severity != SeverityInfo && (f.Advice == "" || f.Status == "") {
			t.Errorf("%+v", f)
		}
	}
}

func TestManyWhoFailAreForgottenOrTakenTogether(t *testing.T) {
	var r recents
	now := time.Unix(1e9, 0)
	for n := range 5 * maxWho {
		r.failed(who{"s", fmt.Sprint("key ", n), "f", "s.go:1"}, now, "no", otherReason)
	}
	sum := uint64(0)
	for _, n := range r.tallies(now, recent) {
		sum += n.failures
	}
	if len(r.by) > 2*maxWho || sum != 5*maxWho {
		t.Errorf("%d are told apart, %d failures of %d counted", len(r.by), sum, 5*maxWho)
	}
	for n := range 3 * maxWho {
		r.failed(who{"s", "", fmt.Sprint("f", n), "s.go:1"}, now, "no", otherReason)
	}
	if len(r.by) > 2*maxWho+1 {
		t.Errorf("%d are told apart", len(r.by))
	}
	later := now.Add(2 * time.Minute)
	r.failed(who{"s", "", "another", "s.go:1"}, later, "no", otherReason)
	if len(r.by) != 1 {
		t.Errorf("%d are remembered after two minutes", len(r.by))
	}
}

func TestFailuresOfOneKindAreOneGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus, KeepFailures(10))
		defer i.Close()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		s.Subscribe(func(_ context.Context, n int) error { return fmt.Errorf("order %d declined", n) }, signals.Key("payment"))
		s.Subscribe(func(_ context.Context, n int) error {
			if n == 0 {
				panic("no address")
			}
			return nil
		}, signals.Key("mail"))
		begun := time.Now()
		for n := range 1000 { // more than are kept of a second
			s.Emit(t.Context(), n)
		}
		time.Sleep(time.Minute)
		s.Emit(t.Context(), 5)
		log := getJSON[FailureLog](t, i, "failures.json")
		if len(log.Groups) != 2 || log.Groups[0].Key != "payment" || log.Groups[0].Count != 1001 || log.Groups[1].Count != 1 || !log.Groups[1].Panic {
			t.Fatalf("%+v", log.Groups)
		}
		if g := log.Groups[0]; !g.First.Equal(begun) || g.Last.Sub(g.First) != time.Minute || g.Error != "order 5 declined" {
			t.Errorf("%+v", g)
		}
		if log := getJSON[FailureLog](t, i, "failures.json?q=ADDRESS+mail"); len(log.Groups) != 1 || len(log.Failures) != 0 && log.Failures[0].Key != "mail" {
			t.Errorf("filtered: %+v", log)
		}
		page := get(t, i, "failures?q=declined")
		if !strings.Contains(page, "1,001") || !strings.Contains(words(page), "first 00:00:00 , last 00:01:00") || strings.Contains(page, "no address") {
			t.Errorf("the page does not show one group with its count and times:\n%s", words(page))
		}
	})
}

func TestTrendsBeginWithWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		for range 30 { // nobody looks
			s.Emit(t.Context(), 1)
			s.Emit(t.Context(), 1)
			time.Sleep(time.Second)
		}
		h := getJSON[Snapshot](t, i, "snapshot.json?history=1").Signals[0].History
		if len(h.Rates) != 30 || h.Rates[0] != 2 || h.Rates[29] != 2 {
			t.Errorf("%v; want 30 points of 2 a second", h.Rates)
		}
		time.Sleep(time.Hour)
		h = getJSON[Snapshot](t, i, "snapshot.json?history=1").Signals[0].History
		if len(h.Rates) != points || h.Rates[0] != 0 {
			t.Errorf("after an hour: %v", h.Rates)
		}
		if growing := i.state.byName["s"].growing(); growing {
			t.Error("what was filled in is taken for growth")
		}
	})
}

func TestTheDiagnosisOfManySignalsIsBounded(t *testing.T) {
	i := open(t, bigBus(maxFindings+10, 1)) // which are never emitted
	d := getJSON[Diagnosis](t, i, "diagnosis.json")
	if len(d.Findings) != maxFindings || d.Omitted != 10 || !d.Healthy {
		t.Errorf("%d findings, %d left out, healthy: %v", len(d.Findings), d.Omitted, d.Healthy)
	}
	if page := get(t, i, "diagnosis"); strings.Count(page, `class="finding `) != pageFindings || !strings.Contains(page, "310 more") {
		t.Errorf("the page shows %d findings", strings.Count(page, `class="finding `))
	}
}
