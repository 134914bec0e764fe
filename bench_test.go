package signals_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"example.com/signals"
)

// Each benchmark of a signal has what one would write by hand beside it.

// sink keeps the compiler from removing the listeners.
var sink int

//go:noinline
func addToSink(_ context.Context, n int) { sink += n }

func listeners(n int) string {
	if n == 1 {
		return "1_listener"
	}
	return fmt.Sprintf("%d_listeners", n)
}

// BenchmarkSyncSignalEmit: one Emit with that many listeners, against a loop
// over a slice of the same functions.
func BenchmarkSyncSignalEmit(b *testing.B) {
	ctx := context.Background()
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(listeners(n), func(b *testing.B) {
			s := signals.NewSync[int]()
			for range n {
				s.AddListener(addToSink)
			}
			b.ReportAllocs()
			for b.Loop() {
				s.Emit(ctx, 1)
			}
		})
		b.Run(listeners(n)+"/bare_loop", func(b *testing.B) {
			fns := make([]func(context.Context, int), n)
			for i := range fns {
				fns[i] = addToSink
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, fn := range fns {
					fn(ctx, 1)
				}
			}
		})
	}
}

// BenchmarkAsyncSignalEmit: what Emit costs its caller, while that many
// listeners are held in a call and do not compete for the processors; against
// a send on a buffered channel for each listener, which nobody receives from
// meanwhile.
func BenchmarkAsyncSignalEmit(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(listeners(n), func(b *testing.B) { benchmarkHeld(b, n) })
		b.Run(listeners(n)+"/channel_each", func(b *testing.B) { benchmarkChannels(b, n) })
	}
}

func benchmarkHeld(b *testing.B, n int) {
	const batch = 1 << 14 // then the log is emptied
	ctx := context.Background()
	s := signals.New[int]()
	var gate chan struct{}
	hold := func() { // until every listener is inside a call
		gate = make(chan struct{})
		var inside sync.WaitGroup
		inside.Add(n)
		for range n {
			g, first := gate, true
			s.AddListener(func(context.Context, int) {
				if first {
					first = false
					inside.Done()
				}
				<-g
			})
		}
		s.Emit(ctx, 0)
		inside.Wait()
	}
	release := func() {
		s.Reset() // what is pending is dropped
		close(gate)
		if err := s.Drain(ctx); err != nil {
			b.Fatal(err)
		}
	}
	hold()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i%batch == batch-1 {
			b.StopTimer()
			release()
			hold()
			b.StartTimer()
		}
		s.Emit(ctx, i)
	}
	b.StopTimer()
	release()
}

func benchmarkChannels(b *testing.B, n int) {
	const batch = 1 << 10 // then the channels are emptied
	type event struct {
		ctx     context.Context
		payload int
	}
	ctx := context.Background()
	channels := make([]chan event, n)
	for i := range channels {
		channels[i] = make(chan event, batch)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i%batch == batch-1 {
			b.StopTimer()
			for _, c := range channels {
				for len(c) > 0 {
					<-c
				}
			}
			b.StartTimer()
		}
		for _, c := range channels {
			c <- event{ctx, i}
		}
	}
}
