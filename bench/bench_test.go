package bench

import (
	"fmt"
	"testing"
	"time"
)

// each runs a benchmark for all peers.
func each(b *testing.B, name string, run func(*testing.B, Peer)) {
	for _, p := range Peers() {
		b.Run(fmt.Sprintf("%s/%s", name, p.Name), func(b *testing.B) { run(b, p) })
	}
}

func subscribers(n int) string { return fmt.Sprintf("%d_subscribers", n) }

// measure reports what one event takes, of b.N.
func measure(b *testing.B, load func(n int) time.Duration, stop func() error) {
	load(1) // the first time is different
	b.ReportAllocs()
	b.ResetTimer()
	took := load(b.N)
	b.StopTimer()
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/op")
	if err := stop(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkEndToEnd: from the first event until all subscribers have handled
// the last, per event.
func BenchmarkEndToEnd(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		each(b, subscribers(n), func(b *testing.B, p Peer) {
			s := NewSession(p, n)
			measure(b, s.EndToEnd, s.Stop)
		})
	}
}

// BenchmarkPublish: what publishing costs alone.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1, 100} {
		each(b, subscribers(n), func(b *testing.B, p Peer) {
			s := NewSession(p, n)
			measure(b, s.Publish, s.Stop)
		})
	}
}

// BenchmarkParallel: end to end with one subscriber, per event.
func BenchmarkParallel(b *testing.B) {
	each(b, "2_publishers", func(b *testing.B, p Peer) {
		s := NewParallel(p, 2)
		measure(b, s.EndToEnd, s.Stop)
	})
}

// BenchmarkLatency: from Publish until an event is handled, at 10,000 events a
// second.
func BenchmarkLatency(b *testing.B) {
	for _, n := range []int{1, 10} {
		each(b, subscribers(n), func(b *testing.B, p Peer) {
			took := Latency(p, n, b.N, 100*time.Microsecond)
			for _, percent := range []float64{50, 99, 99.9} {
				b.ReportMetric(float64(Percentile(took, percent)), fmt.Sprintf("p%v-ns", percent))
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
