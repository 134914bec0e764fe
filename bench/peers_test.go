package bench

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// forEach runs a test for all peers.
func forEach(t *testing.T, test func(*testing.T, Peer)) {
	for _, p := range Peers() {
		t.Run(p.Name, func(t *testing.T) { test(t, p) })
	}
}

func TestEverySubscriberGetsEveryEventOnce(t *testing.T) {
	forEach(t, func(t *testing.T, p Peer) {
		s := NewSession(p, 3)
		s.EndToEnd(1000)
		s.Publish(600) // more than a burst, and no multiple of it
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if s.total != 1600 {
			t.Fatalf("published %d events", s.total)
		}
	})
}

func TestPayloadsArriveWhole(t *testing.T) {
	forEach(t, func(t *testing.T, p Peer) {
		got := make(chan Event, 1)
		bus := p.Start([]func(Event){func(e Event) { got <- e }})
		want := Event{Symbol: "a longer symbol", Seq: 1<<63 + 7, At: -1}
		bus.Publish(want)
		if e := <-got; e != want {
			t.Errorf("got %+v", e)
		}
		bus.Stop()
	})
}

// Seq is the number of the event, of those of one publisher; At the publisher.
func TestOrderOfEachPublisherIsKept(t *testing.T) {
	forEach(t, func(t *testing.T, p Peer) {
		if !p.Ordered {
			t.Skip("promises no order")
		}
		const publishers, events = 2, 500
		var (
			mu   sync.Mutex
			got  [publishers][]uint64
			done sync.WaitGroup
		)
		done.Add(publishers * events)
		bus := p.Start([]func(Event){func(e Event) {
			mu.Lock()
			got[e.At] = append(got[e.At], e.Seq)
			mu.Unlock()
			done.Done()
		}})
		for i := range publishers {
			go func() {
				for seq := range uint64(events) {
					bus.Publish(Event{Seq: seq, At: int64(i)})
				}
			}()
		}
		done.Wait()
		bus.Stop()
		for i, seqs := range got {
			if len(seqs) != events || !slices.IsSorted(seqs) {
				t.Errorf("of publisher %d came %v", i, seqs)
			}
		}
	})
}

func TestParallelPublishersLoseNothing(t *testing.T) {
	forEach(t, func(t *testing.T, p Peer) {
		s := NewParallel(p, 2)
		s.EndToEnd(1000)
		s.EndToEnd(1)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if s.total != 1002 {
			t.Errorf("published %d events", s.total)
		}
	})
}

func TestLatencyIsMeasuredForEverySubscriber(t *testing.T) {
	forEach(t, func(t *testing.T, p Peer) {
		took := Latency(p, 2, 50, time.Microsecond)
		if len(took) != 100 || !slices.IsSorted(took) || took[0] < 0 {
			t.Errorf("got %v", took)
		}
	})
}

// A handler that lies shows that Stop looks.
func TestLossRepetitionAndDisorderAreFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []uint64
	}{
		{"lost", []uint64{0, 2}},
		{"twice", []uint64{0, 1, 1, 2}},
		{"another", []uint64{0, 1, 3}},
		{"disordered", []uint64{0, 2, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Peer{Name: "fake", Ordered: true, Start: func([]func(Event)) Bus {
				return Bus{Publish: func(Event) {}, Stop: func() {}}
			}}
			s := NewSession(p, 1)
			s.total = 3
			for _, seq := range c.events {
				s.counts[0].handle(Event{Seq: seq})
			}
			if err := s.Stop(); err == nil {
				t.Error("no error")
			}
		})
	}
}
