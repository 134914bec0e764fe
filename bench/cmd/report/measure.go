package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"example.com/signals/bench"
)

// plan says how much is measured.
type plan struct {
	samples int           // of which the median counts
	turns   int           // of each peer in a sample, of which the median counts
	slice   time.Duration // how long a turn takes
	paced   int           // events of a span of latency
	counted int           // events of which allocations are counted
}

// spans of latency make a sample. They are short: when the whole process has to
// wait for the processor, which takes milliseconds, that spoils a few of them.
const spans = 5

const pace = 100 * time.Microsecond // 10,000 events a second

// result is what was measured of one peer.
type result struct {
	Peer    bench.Peer
	Version string
	// Times and ratios to the signal of the same kind, by scenario.
	Times  map[string]timed
	Allocs map[string]float64 // per event, end to end
	// Percentiles of latency, 50, 99 and 99.9, by scenario.
	Delays     map[string][3]time.Duration
	Disordered float64 // of 100 events with ten subscribers
}

type timed struct {
	NS    float64 // per event
	Ratio float64
}

// session is a peer that runs, in one scenario.
type session struct {
	load func(n int) time.Duration
	stop func() error
}

// scenario is a column of the table.
type scenario struct {
	name  string
	start func(bench.Peer) session
}

const (
	endToEnd1   = "end to end, 1"
	endToEnd10  = "end to end, 10"
	endToEnd100 = "end to end, 100"
	publish1    = "publish, 1"
	publish100  = "publish, 100"
	parallel    = "2 publishers, 1"
	delays1     = "delay, 1"
	delays10    = "delay, 10"
)

var scenarios = []scenario{
	{endToEnd1, endToEnd(1)},
	{endToEnd10, endToEnd(10)},
	{endToEnd100, endToEnd(100)},
	{publish1, publish(1)},
	{publish100, publish(100)},
	{parallel, func(p bench.Peer) session {
		s := bench.NewParallel(p, 2)
		return session{s.EndToEnd, s.Stop}
	}},
}

func endToEnd(subscribers int) func(bench.Peer) session {
	return func(p bench.Peer) session {
		s := bench.NewSession(p, subscribers)
		return session{s.EndToEnd, s.Stop}
	}
}

func publish(subscribers int) func(bench.Peer) session {
	return func(p bench.Peer) session {
		s := bench.NewSession(p, subscribers)
		return session{s.Publish, s.Stop}
	}
}

// measure runs all scenarios. In each the peers run by turns, so that whatever
// else the machine does meets all of them.
func measure(peers []bench.Peer, p plan) ([]result, error) {
	results := make([]result, len(peers))
	for i, peer := range peers {
		results[i] = result{Peer: peer, Version: version(peer.Module), Times: map[string]timed{}, Allocs: map[string]float64{}, Delays: map[string][3]time.Duration{}}
	}
	for _, s := range scenarios {
		times, err := byTurns(peers, s, p)
		if err != nil {
			return nil, err
		}
		for i, t := range times {
			results[i].Times[s.name] = t
		}
	}
	for i := range results {
		if err := results[i].count(p.counted); err != nil {
			return nil, err
		}
	}
	for name, subscribers := range map[string]int{delays1: 1, delays10: 10} {
		for i, all := range delays(peers, subscribers, p) {
			results[i].Delays[name] = all
		}
	}
	return results, nil
}

func byTurns(peers []bench.Peer, s scenario, p plan) ([]timed, error) {
	running, events := make([]session, len(peers)), make([]int, len(peers))
	for i, peer := range peers {
		running[i] = s.start(peer)
		events[i] = fit(running[i].load, p.slice)
	}
	samples := make([][]timed, len(peers))
	for range p.samples {
		turns := make([][]timed, len(peers))
		for range p.turns {
			ns := make([]float64, len(peers))
			for i, r := range running {
				runtime.GC() // nobody pays for what others have left
				ns[i] = float64(r.load(events[i])) / float64(events[i])
			}
			for i, peer := range peers {
				turns[i] = append(turns[i], timed{ns[i], ns[i] / ns[base(peers, peer)]})
			}
		}
		for i := range peers {
			samples[i] = append(samples[i], middle(turns[i]))
		}
	}
	times := make([]timed, len(peers))
	for i, r := range running {
		times[i] = middle(samples[i])
		if err := r.stop(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return times, nil
}

// base returns the signal that a peer is compared with: the first peer that
// runs its handlers where it does.
func base(peers []bench.Peer, peer bench.Peer) int {
	return slices.IndexFunc(peers, func(p bench.Peer) bool { return p.Inline == peer.Inline })
}

// fit returns how many events take about that long.
func fit(load func(int) time.Duration, long time.Duration) int {
	load(1) // the first time is different
	for n := 16; ; n *= 2 {
		begun := time.Now()
		load(n)
		if took := time.Since(begun); took > long/2 {
			return max(int(float64(n)*float64(long)/float64(took)), 2)
		}
	}
}

func middle(all []timed) timed {
	return timed{
		median(all, func(t timed) float64 { return t.NS }),
		median(all, func(t timed) float64 { return t.Ratio }),
	}
}

func median[T any](all []T, of func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = of(one)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// count counts allocations, and events out of order.
func (r *result) count(events int) error {
	for name, subscribers := range map[string]int{endToEnd1: 1, endToEnd10: 10, endToEnd100: 100} {
		s := bench.NewSession(r.Peer, subscribers)
		s.EndToEnd(events)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s.EndToEnd(events)
		runtime.ReadMemStats(&after)
		r.Allocs[name] = float64(after.Mallocs-before.Mallocs) / float64(events)
		if name == endToEnd10 {
			r.Disordered = 100 * float64(s.Disordered()) / float64(2*events*subscribers)
		}
		if err := s.Stop(); err != nil {
			return err
		}
	}
	return nil
}

func delays(peers []bench.Peer, subscribers int, p plan) [][3]time.Duration {
	samples := make([][][3]time.Duration, len(peers))
	for range p.samples * spans {
		for i, peer := range peers {
			runtime.GC()
			all := bench.Latency(peer, subscribers, p.paced, pace)
			samples[i] = append(samples[i], [3]time.Duration{
				bench.Percentile(all, 50), bench.Percentile(all, 99), bench.Percentile(all, 99.9),
			})
		}
	}
	middles := make([][3]time.Duration, len(peers))
	for i, s := range samples {
		for k := range 3 {
			middles[i][k] = time.Duration(median(s, func(d [3]time.Duration) float64 { return float64(d[k]) }))
		}
	}
	return middles
}
