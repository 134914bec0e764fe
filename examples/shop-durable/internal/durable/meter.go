package durable

import (
	"sync"
	"time"

	"example.com/signals/examples/internal/shop"
)

// meter measures what it costs to wait for the disk.
type meter struct {
	latency *shop.Latency // of one append

	mu       sync.Mutex
	first    time.Time     // when the first append began; guarded by mu, as all below
	last     time.Time     // when the last one ended
	since    time.Time     // since when appends are under way
	underWay int           // how many are
	events   int           // that were appended
	waited   time.Duration // for all of them, added up
	busy     time.Duration // how long at least one was under way
	commits  int           // that the store has told of
}

func newMeter() *meter { return &meter{latency: shop.NewLatency()} }

// begin is called before an append, and what it returns behind it.
func (m *meter) begin() (end func()) {
	began := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first.IsZero() {
		m.first = began
	}
	if m.underWay++; m.underWay == 1 {
		m.since = began
	}
	return func() {
		now := time.Now()
		m.latency.Record(now.Sub(began))
		m.mu.Lock()
		defer m.mu.Unlock()
		m.events++
		m.last = now
		m.waited += now.Sub(began)
		if m.underWay--; m.underWay == 0 {
			m.busy += now.Sub(m.since)
		}
	}
}

// commit is called for each commit of events.
func (m *meter) commit() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits++
}

// reading is what a meter says.
type reading struct {
	First, Last  time.Time
	Events       int
	Commits      int
	Waited, Busy time.Duration
	shop.Percentiles
}

func (m *meter) read() reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return reading{m.first, m.last, m.events, m.commits, m.waited, m.busy, m.latency.Percentiles()}
}
