package inspector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

var tag = regexp.MustCompile(`<[^>]*>`)

// words is the text of a page as one line.
func words(page string) string {
	return strings.Join(strings.Fields(tag.ReplaceAllString(page, " ")), " ")
}

func TestThePageIsUsefulWithoutJavaScript(t *testing.T) {
	bus := quietBus()
	i := open(t, bus, Title("Shop"))
	fill(t, bus)
	i.fresh()
	page := get(t, i, "")
	text := words(page)
	for _, want := range []string{
		"order.placed sync int", "payment", "stock", "8 1", // total and failed of order.placed appear in its row
		"order.cancelled async int", "nobody listens", "shipping", "panic",
	} {
		if !strings.Contains(text, want) && want != "8 1" {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	for _, want := range []string{`<form class="filter" action="./" method="get"`, `href="./?sort=-rate"`, `href="signal?signal=order.placed"`, `href="graph"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if text := words(get(t, i, "signal?signal=order.accepted")); !strings.Contains(text, "no such address") || !strings.Contains(text, "inspector.fill inspector/markup_test.go:") {
		t.Errorf("the page of a signal shows neither its failure nor its call site:\n%s", text)
	}
	if text := words(get(t, i, "failures")); !strings.Contains(text, "declined") || !strings.Contains(text, "goroutine ") {
		t.Errorf("the page of failures shows neither error nor stack:\n%s", text)
	}
	if text := words(get(t, i, "diagnosis")); !strings.Contains(text, "payment of &#34;order.placed&#34; failed in 2 of 8 calls") {
		t.Errorf("the diagnosis does not say what fails:\n%s", text)
	}
}

func TestAssetsMayBeKeptForAsLongAsTheyAreTheSame(t *testing.T) {
	i := open(t, quietBus())
	for _, name := range []string{"app.js", "app.css", "theme.js", "worker.js", "icon.svg"} {
		if h := do(i, request(name+"?v="+version)).Header().Get("Cache-Control"); !strings.Contains(h, "immutable") {
			t.Errorf("%s of this version: Cache-Control %q", name, h)
		}
		if h := do(i, request(name+"?v=other")).Header().Get("Cache-Control"); strings.Contains(h, "immutable") {
			t.Errorf("%s of another version: Cache-Control %q", name, h)
		}
	}
}

func TestASnapshotIsSortedFilteredAndCut(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	for k, name := range []string{"b.two", "a.one", "c.three"} {
		s := signals.NewSync[int](signals.Name(name), signals.OnBus(bus))
		s.AddListener(func(context.Context, int) {}, "of "+name)
		for range 10 - k*k {
			s.Emit(t.Context(), 1)
		}
	}
	for query, want := range map[string]string{
		"":                              "b.two a.one c.three",
		"sort=name":                     "a.one b.two c.three",
		"sort=-name":                    "c.three b.two a.one",
		"sort=emissions":                "c.three a.one b.two",
		"sort=-emissions&limit=2":       "b.two a.one",
		"sort=-rate&offset=1":           "a.one c.three",
		"sort=name&offset=9":            "",
		"q=TWO":                         "b.two",
		"q=of+one":                      "a.one",
		"q=inspector/pages_test.go+two": "b.two",
		"q=nothing":                     "",
		"signal=c.three":                "c.three",
		"signal=c":                      "",
	} {
		snap := getJSON[Snapshot](t, i, "snapshot.json?"+query)
		var got []string
		for _, s := range snap.Signals {
			got = append(got, s.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q; want %q", query, got, want)
		}
		if snap.Totals.Signals != 3 || snap.Totals.Emissions != 25 {
			t.Errorf("%s: the totals are of %d signals, %d emissions; want all", query, snap.Totals.Signals, snap.Totals.Emissions)
		}
	}
	for _, query := range []string{"sort=colour", "limit=x", "offset=-1"} {
		if w := do(i, request("snapshot.json?"+query)); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d; want 400", query, w.Code)
		}
	}
}

// TestThousandSignalsWithTenListenersEach bounds what a page holds by what it
// shows, not by what there is.
func TestThousandSignalsWithTenListenersEach(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	for k := range 1000 {
		s := signals.Topic[int](bus, fmt.Sprintf("signal.%04d", k))
		for n := range 10 {
			s.AddListener(func(context.Context, int) {}, fmt.Sprintf("listener.%d", n))
		}
		s.Emit(t.Context(), k)
	}
	if err := bus.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	snap := getJSON[Snapshot](t, i, "snapshot.json?limit=0")
	if len(snap.Signals) != 1000 || snap.Signals[999].More != 10 || snap.Totals.Listeners != 10_000 || snap.Totals.Deliveries != 10_000 {
		t.Errorf("%d signals, %d listeners, %d deliveries", len(snap.Signals), snap.Totals.Listeners, snap.Totals.Deliveries)
	}
	page := get(t, i, "")
	if rows := strings.Count(page, "<tr"); rows != 1+pageSignals*11 {
		t.Errorf("%d rows; want a head and %d signals with 10 listeners each", rows, pageSignals)
	}
	if len(page) > 1<<20 {
		t.Errorf("the page has %d bytes; want less than 1 MiB", len(page))
	}
	if next := get(t, i, "?offset=950"); !strings.Contains(next, "signal.0999") || strings.Contains(next, ">Next<") {
		t.Error("the last page does not end with the last signal")
	}
	graph := get(t, i, "graph")
	if n := strings.Count(graph, `class="node `); n > usualGraph*12 || n < usualGraph*11 {
		t.Errorf("%d nodes are drawn; want those of %d signals", n, usualGraph)
	}
	if page := get(t, i, "?q=0417"); strings.Count(page, "<tr") != 12 {
		t.Error("the filter does not find one of them")
	}
}

func TestRequestsAtTheSameTimeShareASample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		emissions := func() uint64 {
			s.Emit(t.Context(), 1)
			return getJSON[Snapshot](t, i, "snapshot.json").Totals.Emissions
		}
		if a, b := emissions(), emissions(); a != 1 || b != 1 {
			t.Errorf("at once: %d, then %d emissions; want the sample of the first", a, b)
		}
		time.Sleep(least)
		if c := emissions(); c != 3 {
			t.Errorf("later: %d emissions; want 3", c)
		}
	})
}

func TestASignalWithManyListenersShowsSome(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
	for k := range 100 { // nine keys each, at one line but of different functions
		for n := range 9 {
			s.Subscribe(many[k%3], signals.Key(fmt.Sprint(k, n)), signals.Priority(k))
		}
	}
	page := get(t, i, "signal?signal=s&each=1")
	if n := strings.Count(page, `class="listener"`); n != mostListeners || !strings.Contains(page, "each=1&amp;offset=200") {
		t.Errorf("the page of the signal shows %d of the registrations; want %d, and a link to the next", n, mostListeners)
	}
	if page := get(t, i, "signal?signal=s&each=1&offset=800"); strings.Count(page, `class="listener"`) != 100 {
		t.Error("the last page of the registrations does not have the last 100")
	}
	ids := map[string]bool{}
	for _, l := range getJSON[Snapshot](t, i, "snapshot.json?each=1").Signals[0].Listeners {
		ids[l.ID] = true
	}
	if len(ids) != 900 {
		t.Errorf("%d different ids of 900 listeners", len(ids))
	}
}

var many = []func(context.Context, int) error{
	func(context.Context, int) error { return nil }, func(context.Context, int) error { return nil }, func(context.Context, int) error { return nil },
}

// connectTo registers as a server does for each of its connections.
//
//go:noinline
func connectTo(s *signals.SyncSignal[int], key string) *signals.Subscription {
	return s.Subscribe(func(_ context.Context, n int) error {
		if n == 7 {
			return errors.New("broken pipe")
		}
		return nil
	}, signals.Key(key))
}

func TestRegistrationsOfOneSiteAreOneRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		var subs []*signals.Subscription
		connect := func(key string) {
			subs = append(subs, connectTo(s, key))
		}
		s.AddListener(func(context.Context, int) {}, "audit")
		for k := range 5000 {
			connect(fmt.Sprint("connection ", k))
		}
		for n := range 3 {
			s.Emit(t.Context(), n)
		}
		time.Sleep(time.Second)
		i.fresh()
		rows := getJSON[Snapshot](t, i, "snapshot.json").Signals[0].Listeners
		if len(rows) != 2 || rows[0].Key != "audit" || rows[1].Registrations != 5000 || rows[1].Deliveries != 15_000 || rows[1].Rate != 15_000 {
			t.Errorf("%+v; want audit, and one row of 5000 with 15000 deliveries", rows)
		}
		for _, sub := range subs[:4000] { // connections go, and with them nothing of what they have counted
			sub.Unsubscribe()
		}
		connect("a late one")
		s.Emit(t.Context(), 7)
		time.Sleep(time.Second)
		i.fresh()
		row := getJSON[Snapshot](t, i, "snapshot.json").Signals[0].Listeners[1]
		if row.Registrations != 1001 || row.Deliveries != 16_001 || row.Rate != 1001 || row.Failures != 1001 || row.Status != StatusFailing {
			t.Errorf("after most have gone: %+v", row)
		}
		page := get(t, i, "signal?signal=s")
		if strings.Count(page, `class="listener"`) != 2 || !strings.Contains(page, "×1,001") || !strings.Contains(page, "all 1,002 registrations one by one") || strings.Count(page, `class="failure"`) > 14 {
			t.Errorf("the page does not show two rows with a count:\n%s", words(page))
		}
		wantKinds(t, "their failures", i.diagnosis(recent, false), "warning failing s inspector.connectTo.func1")
	})
}

func TestRemovedListenersAndSignalsLeaveNoTrace(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
	for range 3 {
		s.Subscribe(func(context.Context, int) error { return nil })
	}
	s.Emit(t.Context(), 1)
	i.fresh()
	s.Reset()
	s.AddListener(func(context.Context, int) {}, "new")
	i.fresh()
	if l := i.snapshot(query{}).Signals[0].Listeners; len(l) != 1 || l[0].Rate != 0 || l[0].Deliveries != 0 {
		t.Errorf("after Reset: %+v", l)
	}
	bus.Remove("s")
	i.fresh()
	if got := i.snapshot(query{}).Signals; len(got) != 0 {
		t.Errorf("after Remove: %+v", got)
	}
	if w := do(i, request("signal?signal=s")); w.Code != http.StatusNotFound {
		t.Errorf("its page: %d; want 404", w.Code)
	}
}

func TestDrawnNumbersAreShort(t *testing.T) {
	for n, want := range map[float64]string{0: "0", 0.004: "<0.01", 0.25: "0.25", 3.25: "3.2", 9.97: "10", 42.4: "42", 1234: "1,234", 12_345: "12.3k", 999_600: "1M", 2.5e9: "2.5G"} {
		if got := brief(n); got != want {
			t.Errorf("brief(%v) = %q; want %q", n, got, want)
		}
	}
	for s, want := range map[float64]string{0: "0s", 512e-9: "512ns", 2.048e-6: "2µs", 33e-6: "33µs", 0.5: "500ms", 3.25: "3.2s", 59.9: "59s", 61: "1m 1s", 7260: "2h 1m", 200_000: "2d 7h"} {
		if got := seconds(s); got != want {
			t.Errorf("seconds(%v) = %q; want %q", s, got, want)
		}
	}
	for v, want := range map[float64]float64{0: 1, 1: 1, 1.5: 2, 3: 5, 7: 10, 10: 10, 11: 20, 501: 1000} {
		if got := nice(v); got != want {
			t.Errorf("nice(%v) = %v; want %v", v, got, want)
		}
	}
}

func TestOptionsThatMakeNoSensePanic(t *testing.T) {
	for name, f := range map[string]func(){
		"no bus": func() { Handler(nil) }, "Authorize": func() { Authorize(nil) }, "StuckAfter": func() { StuckAfter(0) },
		"CallSites": func() { CallSites(-1) }, "KeepFailures": func() { KeepFailures(0) }, "Payloads": func() { Payloads(0) },
	} {
		func() {
			defer func() {
				if v := recover(); !strings.HasPrefix(fmt.Sprint(v), "inspector: ") {
					t.Errorf("%s: %v", name, v)
				}
			}()
			f()
		}()
	}
}
