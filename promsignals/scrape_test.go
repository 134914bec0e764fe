package promsignals_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"example.com/signals"
	"example.com/signals/promsignals"
)

func TestAgeOfTheOldestPendingEmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := signals.New[int](signals.Name("jobs"))
		step := make(chan bool)
		jobs.Subscribe(func(context.Context, int) error {
			<-step
			return nil
		}, signals.Key("slow"))
		c := promsignals.NewSignalCollector(jobs)
		age := func() float64 { return value(gather(t, c), "signals_oldest_pending_seconds") }
		if got := age(); got != 0 {
			t.Errorf("nothing is pending, and it is %v s old", got)
		}
		jobs.Emit(ctx, 1)
		jobs.Emit(ctx, 2)
		synctest.Wait()
		age() // sees both
		time.Sleep(10 * time.Second)
		jobs.Emit(ctx, 3)
		if got := age(); got != 10 {
			t.Errorf("10 s after the first scrape that saw it the oldest is %v s old", got)
		}
		step <- true
		synctest.Wait()
		time.Sleep(10 * time.Second)
		if got := age(); got != 20 {
			t.Errorf("the second one is %v s old, want 20", got)
		}
		step <- true
		synctest.Wait()
		if got := age(); got != 10 {
			t.Errorf("the third one is %v s old, want 10", got)
		}
		step <- true
		synctest.Wait()
		if got := age(); got != 0 {
			t.Errorf("all is finished, and the oldest is %v s old", got)
		}
	})
}

func TestStuckListenerIsSeenHoweverLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := signals.New[int](signals.Name("jobs"))
		leave := make(chan bool)
		jobs.Subscribe(func(context.Context, int) error {
			<-leave
			return nil
		}, signals.Key("stuck"))
		c := promsignals.NewSignalCollector(jobs)
		const scrapes = 1000 // more than the collector remembers
		for i := range scrapes {
			jobs.Emit(ctx, i)
			synctest.Wait()
			gather(t, c)
			time.Sleep(time.Second)
		}
		got := gather(t, c)
		want(t, got, scrapes, "signals_oldest_pending_seconds")
		want(t, got, scrapes, "signals_listener_lag")
		want(t, got, scrapes, "signals_listener_running_seconds")
		close(leave)
		synctest.Wait()
	})
}

func TestCountersNeverGoBackWhileSignalsWork(t *testing.T) {
	bus := signals.NewBus(quiet)
	async, sync_ := signals.Topic[int](bus, "async"), signals.NewSync[int](signals.Name("sync"), signals.OnBus(bus))
	for _, s := range []signals.Signal[int]{async, sync_} {
		s.Subscribe(succeeds, signals.Key("a"))
		s.Subscribe(fails, signals.Key("b"))
		s.Subscribe(succeeds)
		s.Subscribe(succeeds)
	}
	c := promsignals.NewBusCollector(bus, promsignals.MaxListeners(2))
	stop := make(chan bool)
	var work sync.WaitGroup
	for range 2 {
		work.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				async.Emit(ctx, n)
				sync_.Emit(ctx, n)
				if n%16 == 0 { // listeners of the sum come and go
					async.Subscribe(succeeds).Unsubscribe()
					sync_.Subscribe(succeeds).Unsubscribe()
				}
				if n%64 == 0 {
					if err := async.Drain(ctx); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range 2 {
		work.Go(func() { // another scraper
			for range 20 {
				gather(t, c)
			}
		})
	}
	last := make(map[string]float64)
	for range 50 {
		for name, v := range totals(gather(t, c)) {
			if v < last[name] {
				t.Errorf("%s went from %v back to %v", name, last[name], v)
			}
			last[name] = v
		}
	}
	close(stop)
	work.Wait()
	if len(last) == 0 {
		t.Error("no counters")
	}
}

// totals returns the counters, and the counts and sums of histograms.
func totals(families []*dto.MetricFamily) map[string]float64 {
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			if c := m.GetCounter(); c != nil {
				all[name] = c.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				all[name+" count"], all[name+" sum"] = float64(h.GetSampleCount()), h.GetSampleSum()
			}
		}
	}
	return all
}
