package bench

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// round is how many events are published before the publisher waits for
	// the subscribers, so that no peer gathers more than that.
	round = 8 * 1024
	// burst is how many are published at once to measure Publish alone: they
	// fit into every buffer.
	burst = 256
)

// A Session is a peer with subscribers that count what they get.
type Session struct {
	peer   Peer
	bus    Bus
	counts []*counter
	done   sync.WaitGroup
	total  uint64 // events published
}

// counter is one subscriber. It is called for one event at a time.
type counter struct {
	seen, sum, next uint64
	disordered      uint64
	target          uint64
	done            *sync.WaitGroup
	_               [64]byte // the next one is on another cache line
}

func (c *counter) handle(e Event) {
	if e.Seq < c.next {
		c.disordered++
	}
	c.next = e.Seq + 1
	c.sum += e.Seq
	c.seen++
	if c.seen == c.target {
		c.done.Done()
	}
}

// NewSession starts a peer with that many subscribers.
func NewSession(p Peer, subscribers int) *Session {
	s := &Session{peer: p}
	var handlers []func(Event)
	for range subscribers {
		c := &counter{done: &s.done}
		s.counts = append(s.counts, c)
		handlers = append(handlers, c.handle)
	}
	s.bus = p.Start(handlers)
	return s
}

// publish publishes n events and says how long that took, without waiting.
func (s *Session) publish(n int) time.Duration {
	s.done.Add(len(s.counts))
	for _, c := range s.counts {
		c.target += uint64(n)
	}
	seq, publish := s.total, s.bus.Publish
	s.total += uint64(n)
	begun := time.Now()
	for ; seq < s.total; seq++ {
		publish(Event{Symbol: "ACME", Seq: seq})
	}
	return time.Since(begun)
}

// EndToEnd publishes n events, and returns how long it took until all
// subscribers had handled all of them.
func (s *Session) EndToEnd(n int) (took time.Duration) {
	begun := time.Now()
	for ; n > 0; n -= round {
		s.publish(min(n, round))
		s.done.Wait()
	}
	return time.Since(begun)
}

// Publish publishes n events, and returns how long that took without what the
// subscribers have left to do after each burst.
func (s *Session) Publish(n int) (took time.Duration) {
	for ; n > 0; n -= burst {
		took += s.publish(min(n, burst))
		s.done.Wait()
	}
	return took
}

// Disordered returns how many events were handled after a later one.
func (s *Session) Disordered() (n uint64) {
	for _, c := range s.counts {
		n += c.disordered
	}
	return n
}

// Stop stops the peer, and fails if an event was lost, came twice, or came out
// of an order that the peer keeps.
func (s *Session) Stop() error {
	s.bus.Stop()
	want := s.total * (max(s.total, 1) - 1) / 2
	for i, c := range s.counts {
		if c.seen != s.total || c.sum != want {
			return fmt.Errorf("%s: subscriber %d handled %d of %d events, the sum of which is %d, not %d", s.peer.Name, i, c.seen, s.total, c.sum, want)
		}
	}
	if n := s.Disordered(); n > 0 && s.peer.Ordered {
		return fmt.Errorf("%s: %d events out of order", s.peer.Name, n)
	}
	return nil
}

// Parallel is a peer with one subscriber and several publishers. The handler
// counts atomically, as those that run inline run at the same time.
type Parallel struct {
	peer       Peer
	bus        Bus
	publishers int
	seen       atomic.Int64
	target     atomic.Int64
	done       chan struct{}
	total      int64
}

// NewParallel starts a peer for that many publishers.
func NewParallel(p Peer, publishers int) *Parallel {
	s := &Parallel{peer: p, publishers: publishers, done: make(chan struct{})}
	s.bus = p.Start([]func(Event){func(Event) {
		if s.seen.Add(1) == s.target.Load() {
			s.done <- struct{}{}
		}
	}})
	return s
}

// EndToEnd publishes n events in all, and returns how long it took until all
// of them were handled. It publishes one for each publisher at least.
func (s *Parallel) EndToEnd(n int) time.Duration {
	begun := time.Now()
	for ; n > 0; n -= round {
		each := max(min(n, round)/s.publishers, 1)
		s.total += int64(each * s.publishers)
		s.target.Store(s.total)
		var ended sync.WaitGroup
		for range s.publishers {
			ended.Go(func() {
				for i := range each {
					s.bus.Publish(Event{Symbol: "ACME", Seq: uint64(i)})
				}
			})
		}
		<-s.done
		ended.Wait()
	}
	return time.Since(begun)
}

// Stop stops the peer, and fails if an event was lost or came twice.
func (s *Parallel) Stop() error {
	s.bus.Stop()
	if seen := s.seen.Load(); seen != s.total {
		return fmt.Errorf("%s: handled %d of %d events", s.peer.Name, seen, s.total)
	}
	return nil
}

var began = time.Now()

func now() int64 { return int64(time.Since(began)) }

// Latency publishes n events, one every pace, and returns the times from just
// before Publish until a subscriber handled the event, those of all
// subscribers together, sorted. The publisher yields its processor until the
// next event is due: a sleep would end late by more than what is measured.
func Latency(p Peer, subscribers, n int, pace time.Duration) []time.Duration {
	var done sync.WaitGroup
	done.Add(subscribers)
	took := make([][]time.Duration, subscribers)
	var handlers []func(Event)
	for i := range subscribers {
		mine := make([]time.Duration, 0, n)
		handlers = append(handlers, func(e Event) {
			mine = append(mine, time.Duration(now()-e.At))
			if len(mine) == n {
				took[i] = mine
				done.Done()
			}
		})
	}
	bus := p.Start(handlers)
	due := time.Now()
	for i := range n {
		for time.Until(due) > 0 {
			runtime.Gosched()
		}
		bus.Publish(Event{Symbol: "ACME", Seq: uint64(i), At: now()})
		due = due.Add(pace)
	}
	done.Wait()
	bus.Stop()
	all := slices.Concat(took...)
	slices.Sort(all)
	return all
}

// Percentile returns the p-th percentile of what is sorted.
func Percentile[T cmp.Ordered](sorted []T, p float64) T {
	return sorted[min(int(p/100*float64(len(sorted))), len(sorted)-1)]
}
