package promsignals_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"example.com/signals"
	"example.com/signals/promsignals"
)

func TestScrapeShowsWhatABusHasCounted(t *testing.T) {
	bus := signals.NewBus(quiet)
	c := promsignals.NewBusCollector(bus)
	orders := signals.NewSync[int](signals.Name("orders"), signals.OnBus(bus))
	orders.Subscribe(succeeds, signals.Key("stock"))
	orders.Subscribe(fails, signals.Key("payment"))
	mails := signals.Topic[int](bus, "mails")
	mails.Subscribe(panics, signals.Key("smtp"))
	for i := range 3 {
		orders.Emit(ctx, i)
		mails.Emit(ctx, i)
	}
	if err := bus.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if err := mails.Close(ctx); err != nil { // it leaves the bus
		t.Fatal(err)
	}
	late := signals.Topic[int](bus, "mails")
	late.Subscribe(panics, signals.Key("smtp"))
	for i := range 2 {
		if err := late.EmitWait(ctx, i); err == nil {
			t.Fatal("the listener panics, and EmitWait says nothing")
		}
	}
	const text = `
# HELP signals_emissions_total Emissions that were accepted; of a sync signal, begun.
# TYPE signals_emissions_total counter
signals_emissions_total{signal="mails"} 2
signals_emissions_total{signal="orders"} 3
# HELP signals_failures_total Deliveries that failed, panics among them.
# TYPE signals_failures_total counter
signals_failures_total{signal="mails"} 2
signals_failures_total{signal="orders"} 3
# HELP signals_info The kind of the signal and its payload type; always 1.
# TYPE signals_info gauge
signals_info{kind="async",payload="int",signal="mails"} 1
signals_info{kind="sync",payload="int",signal="orders"} 1
# HELP signals_listener_deliveries_total Calls of the listener that have come to an end.
# TYPE signals_listener_deliveries_total counter
signals_listener_deliveries_total{listener="payment",signal="orders"} 3
signals_listener_deliveries_total{listener="smtp",signal="mails"} 2
signals_listener_deliveries_total{listener="stock",signal="orders"} 3
# HELP signals_listener_lag Emissions pending for the listener.
# TYPE signals_listener_lag gauge
signals_listener_lag{listener="smtp",signal="mails"} 0
# HELP signals_listener_panics_total Deliveries to the listener that panicked.
# TYPE signals_listener_panics_total counter
signals_listener_panics_total{listener="payment",signal="orders"} 0
signals_listener_panics_total{listener="smtp",signal="mails"} 2
signals_listener_panics_total{listener="stock",signal="orders"} 0
# HELP signals_panics_total Deliveries that panicked.
# TYPE signals_panics_total counter
signals_panics_total{signal="mails"} 2
signals_panics_total{signal="orders"} 0
`
	err := testutil.CollectAndCompare(c, strings.NewReader(text), "signals_emissions_total", "signals_failures_total",
		"signals_info", "signals_listener_deliveries_total", "signals_listener_lag", "signals_listener_panics_total",
		"signals_panics_total")
	if err != nil {
		t.Error(err)
	}
}

func TestScrapeShowsWhatWaits(t *testing.T) {
	jobs := signals.New[int](signals.Name("jobs"), signals.Capacity(4, signals.Reject), quiet)
	entered, leave := make(chan int, 9), make(chan bool)
	jobs.Subscribe(func(_ context.Context, n int) error {
		entered <- n
		<-leave
		return nil
	}, signals.Key("slow"))
	quick := make(chan int, 9)
	jobs.Subscribe(func(_ context.Context, n int) error {
		quick <- n
		return nil
	}, signals.Key("quick"))
	for i := range 6 {
		jobs.Emit(ctx, i) // the last two are refused
	}
	<-entered
	for range 4 {
		<-quick
	}
	got := gather(t, promsignals.NewSignalCollector(jobs))
	want(t, got, 4, "signals_emissions_total", "signal", "jobs")
	want(t, got, 2, "signals_refusals_total", "signal", "jobs")
	want(t, got, 4, "signals_pending_emissions", "signal", "jobs")
	want(t, got, 2, "signals_listeners", "signal", "jobs")
	want(t, got, 4, "signals_listener_lag", "listener", "slow")
	want(t, got, 1, "signals_listener_calls_in_flight", "listener", "slow")
	if n := value(got, "signals_workers", "signal", "jobs"); n < 1 {
		t.Errorf("%v workers while a listener runs", n)
	}
	jobs.RemoveListener("slow")
	got = gather(t, promsignals.NewSignalCollector(jobs))
	want(t, got, 3, "signals_drops_total", "signal", "jobs")
	close(leave)
	if err := jobs.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestSignalThatDoesNotCountShowsNoZeros(t *testing.T) {
	plain := signals.NewSync[int](signals.Name("plain"), quiet)
	plain.Subscribe(fails, signals.Key("k"))
	plain.Emit(ctx, 1)
	got := gather(t, promsignals.NewSignalCollector(plain))
	want(t, got, 1, "signals_failures_total")
	want(t, got, 1, "signals_listener_failures_total", "listener", "k")
	for _, name := range []string{
		"signals_emissions_total", "signals_deliveries_total", "signals_listener_deliveries_total",
		"signals_listener_duration_seconds", "signals_listener_lag", "signals_pending_emissions", "signals_drops_total",
	} {
		want(t, got, math.NaN(), name)
	}
	async := signals.New[int](signals.Name("async"))
	async.Subscribe(succeeds, signals.Key("k"))
	if err := async.EmitWait(ctx, 1); err != nil {
		t.Fatal(err)
	}
	got = gather(t, promsignals.NewSignalCollector(async))
	want(t, got, 1, "signals_emissions_total")
	want(t, got, 1, "signals_listener_deliveries_total")
	want(t, got, math.NaN(), "signals_listener_duration_seconds")
}

func TestDurationsAreAHistogramOfTheSample(t *testing.T) {
	s := signals.NewSync[int](signals.Name("s"), signals.Counted())
	s.Subscribe(succeeds, signals.Key("k"))
	for i := range 640 {
		s.Emit(ctx, i)
	}
	sampled := s.Stats().Listeners[0].Durations
	if sampled.Count == 0 {
		t.Fatal("nothing was sampled")
	}
	c := promsignals.NewSignalCollector(s)
	for _, f := range gather(t, c) {
		if f.GetName() != "signals_listener_duration_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		if h.GetSampleCount() != sampled.Count || h.GetSampleSum() != sampled.Sum.Seconds() {
			t.Errorf("count %d, sum %v; the signal has %d, %v", h.GetSampleCount(), h.GetSampleSum(), sampled.Count, sampled.Sum)
		}
		for _, b := range h.GetBucket() {
			var below uint64
			for i, n := range sampled.Buckets {
				if signals.BucketBound(i).Seconds() <= b.GetUpperBound() {
					below += n
				}
			}
			if b.GetCumulativeCount() != below {
				t.Errorf("%d calls up to %v s; the signal has %d", b.GetCumulativeCount(), b.GetUpperBound(), below)
			}
		}
		return
	}
	t.Error("no histogram")
}

func TestManyListenersAreSummedIntoOne(t *testing.T) {
	s := signals.NewSync[int](signals.Name("s"), signals.Counted())
	for i := range 7 {
		s.Subscribe(succeeds, signals.Key(fmt.Sprint(i)))
	}
	s.Emit(ctx, 1)
	c := promsignals.NewSignalCollector(s, promsignals.MaxListeners(5))
	got := gather(t, c)
	want(t, got, 1, "signals_listener_deliveries_total", "listener", "4")
	want(t, got, math.NaN(), "signals_listener_deliveries_total", "listener", "5")
	want(t, got, 2, "signals_listener_deliveries_total", "listener", promsignals.Other)
	want(t, got, 2, "signals_listener_duration_seconds", "listener", promsignals.Other)
	want(t, got, 7, "signals_listeners")

	// One with a label goes, one of the sum goes, one comes: nobody moves, and
	// the sum loses nothing.
	s.RemoveListener("0")
	s.RemoveListener("5")
	s.Subscribe(succeeds, signals.Key("new"))
	want(t, gather(t, c), 2, "signals_listener_deliveries_total", "listener", promsignals.Other)
	s.Emit(ctx, 1)
	got = gather(t, c)
	labels := values(got, "signals_listener_deliveries_total", "listener")
	slices.Sort(labels)
	if want := []string{"1", "2", "3", "4", promsignals.Other, "new"}; !slices.Equal(labels, want) {
		t.Errorf("labels are %q, want %q", labels, want)
	}
	want(t, got, 3, "signals_listener_deliveries_total", "listener", promsignals.Other)
	s.Reset()
	want(t, gather(t, c), 3, "signals_listener_deliveries_total", "listener", promsignals.Other)

	all := promsignals.NewSignalCollector(s, promsignals.MaxListeners(0))
	s.Subscribe(succeeds)
	if labels := values(gather(t, all), "signals_listener_failures_total", "listener"); !slices.Equal(labels, []string{promsignals.Other}) {
		t.Errorf("with MaxListeners(0) there are %q", labels)
	}
}

func TestDefaultLimitOfListeners(t *testing.T) {
	s := signals.New[int](signals.Name("s"))
	for i := range 1000 {
		s.Subscribe(succeeds, signals.Key(fmt.Sprint(i)))
	}
	got := gather(t, promsignals.NewSignalCollector(s))
	if n := len(values(got, "signals_listener_lag", "listener")); n != 21 {
		t.Errorf("1,000 listeners make %d series, want 20 and the sum", n)
	}
}

func TestListenersOfOneNameAreOne(t *testing.T) {
	s := signals.NewSync[int](signals.Name("s"), signals.Counted())
	var subs []*signals.Subscription
	for range 3 {
		subs = append(subs, s.Subscribe(succeeds))
	}
	s.Emit(ctx, 1)
	c := promsignals.NewSignalCollector(s)
	labels := values(gather(t, c), "signals_listener_deliveries_total", "listener")
	if len(labels) != 1 || !strings.HasPrefix(labels[0], "promsignals_test.succeeds promsignals/collector_test.go:") {
		t.Fatalf("labels are %q", labels)
	}
	subs[0].Unsubscribe()
	want(t, gather(t, c), 3, "signals_listener_deliveries_total", "listener", labels[0])
	s.Emit(ctx, 1)
	want(t, gather(t, c), 5, "signals_listener_deliveries_total", "listener", labels[0])
}

// A name that is no UTF-8, or is there twice, would make the registry refuse
// the whole scrape.
func TestAwkwardNamesDoNotSpoilTheScrape(t *testing.T) {
	bus := signals.NewBus()
	bad := signals.Topic[int](bus, "bad \xff name")
	bad.Subscribe(succeeds, signals.Key("\xfe"))
	bad.Subscribe(succeeds, signals.Key("\xfd"))
	bad.Subscribe(succeeds, signals.Key(promsignals.Other))
	twin := signals.Topic[int](bus, "twin")
	other := signals.New[int](signals.Name("twin"))
	got := gather(t, promsignals.NewBusCollector(bus, promsignals.Also(other)))
	names := values(got, "signals_emissions_total", "signal")
	slices.Sort(names)
	if want := []string{"bad \uFFFD name", "twin", "twin#2"}; !slices.Equal(names, want) {
		t.Errorf("signals are %q, want %q", names, want)
	}
	want(t, got, 0, "signals_listener_lag", "listener", promsignals.Other)
	_ = twin
}

func TestRegistryTakesSeveralCollectors(t *testing.T) {
	a, b := signals.New[int](signals.Name("a")), signals.New[int](signals.Name("b"))
	got := gather(t, promsignals.NewSignalCollector(a), promsignals.NewSignalCollector(b))
	if n := len(values(got, "signals_emissions_total", "signal")); n != 2 {
		t.Errorf("%d signals, want 2", n)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(promsignals.NewSignalCollector(a))
	if reg.Register(promsignals.NewSignalCollector(a)) == nil {
		t.Error("a signal was registered twice")
	}
	reg = prometheus.NewPedanticRegistry()
	for _, name := range []string{"first", "second"} {
		bus := signals.NewBus()
		signals.Topic[int](bus, "same").Subscribe(succeeds, signals.Key("k"))
		prometheus.WrapRegistererWith(prometheus.Labels{"bus": name}, reg).MustRegister(promsignals.NewBusCollector(bus))
	}
	if n, err := testutil.GatherAndCount(reg, "signals_emissions_total"); n != 2 || err != nil {
		t.Errorf("two buses under labels: %d signals, %v", n, err)
	}
}

func TestRegistryTakesSeveralBuses(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	for _, name := range []string{"first", "second \xff"} {
		bus := signals.NewBus()
		signals.Topic[int](bus, "same").Subscribe(succeeds, signals.Key("k"))
		reg.MustRegister(promsignals.NewBusCollector(bus, promsignals.ConstLabels(prometheus.Labels{"bus": name})))
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first", "second \uFFFD"} {
		want(t, families, 0, "signals_emissions_total", "bus", name, "signal", "same")
		want(t, families, 0, "signals_listener_lag", "bus", name, "listener", "k")
	}
}

func TestBucketsReachAsFarAsTheyAreTold(t *testing.T) {
	s := signals.NewSync[int](signals.Name("s"), signals.Counted())
	s.Subscribe(succeeds)
	s.Emit(ctx, 1) // the first call is sampled
	for _, test := range []struct {
		shortest, longest time.Duration
		first, last       float64
		n                 int
	}{
		{time.Millisecond, time.Second, 524288e-9, 1.073741824, 12},
		{1, time.Nanosecond, 64e-9, 64e-9, 1},
		{1, 1 << 62, 64e-9, (64 << 30) * 1e-9, 31},
	} {
		for _, f := range gather(t, promsignals.NewSignalCollector(s, promsignals.Buckets(test.shortest, test.longest))) {
			if f.GetName() != "signals_listener_duration_seconds" {
				continue
			}
			h := f.GetMetric()[0].GetHistogram()
			b := h.GetBucket()
			if len(b) != test.n || b[0].GetUpperBound() != test.first || b[len(b)-1].GetUpperBound() != test.last || h.GetSampleCount() != 1 {
				t.Errorf("from %v to %v: %v", test.shortest, test.longest, h)
			}
		}
	}
}

func TestVetoesAndThoseThatLeaveAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := signals.New[int](signals.Name("jobs"), quiet)
		leave := make(chan bool)
		sub := jobs.Subscribe(func(_ context.Context, n int) error {
			if n > 0 {
				<-leave
			}
			return signals.Veto(errDown)
		}, signals.Key("k"))
		c := promsignals.NewSignalCollector(jobs)
		jobs.Emit(ctx, 0)
		jobs.Emit(ctx, 1)
		synctest.Wait()
		sub.Unsubscribe()
		got := gather(t, c)
		want(t, got, 1, "signals_vetoes_total")
		want(t, got, 1, "signals_listener_vetoes_total", "listener", "k")
		want(t, got, 0, "signals_failures_total")
		time.Sleep(time.Minute)
		got = gather(t, c)
		want(t, got, 0, "signals_listeners")
		want(t, got, 1, "signals_leaving_listeners")
		want(t, got, 60, "signals_leaving_running_seconds")
		close(leave)
		synctest.Wait()
		got = gather(t, c)
		want(t, got, 2, "signals_listener_vetoes_total", "listener", "k")
		want(t, got, 0, "signals_leaving_listeners")
		want(t, got, 0, "signals_leaving_running_seconds")
	})
}

func TestSignalsComeAndGoWithTheBus(t *testing.T) {
	bus := signals.NewBus()
	c := promsignals.NewBusCollector(bus)
	if got := gather(t, c); len(got) != 0 {
		t.Errorf("an empty bus shows %v", got)
	}
	signals.Topic[int](bus, "a")
	want(t, gather(t, c), 0, "signals_emissions_total", "signal", "a")
	bus.Remove("a")
	want(t, gather(t, c), math.NaN(), "signals_emissions_total", "signal", "a")
}

func TestMisusePanicsAtOnce(t *testing.T) {
	for name, fn := range map[string]func(){
		"nil bus":                  func() { promsignals.NewBusCollector(nil) },
		"nil signal":               func() { promsignals.NewSignalCollector(nil) },
		"negative limit":           func() { promsignals.MaxListeners(-1) },
		"also of a signal":         func() { promsignals.NewSignalCollector(signals.New[int](), promsignals.Also(signals.New[int]())) },
		"own label":                func() { promsignals.ConstLabels(prometheus.Labels{"signal": "x"}) },
		"no label":                 func() { promsignals.ConstLabels(prometheus.Labels{"a b": "x"}) },
		"buckets the wrong way":    func() { promsignals.Buckets(time.Second, time.Millisecond) },
		"no buckets":               func() { promsignals.EmitBuckets() },
		"buckets that do not grow": func() { promsignals.EmitBuckets(time.Second, time.Second) },
		"a factor of 1":            func() { promsignals.NativeHistogram(1) },
		"nil instrumented":         func() { promsignals.NewInstrumented[int](nil) },
	} {
		if text := fmt.Sprint(caught(fn)); !strings.HasPrefix(text, "promsignals: ") {
			t.Errorf("%s: panic %q", name, text)
		}
	}
}
