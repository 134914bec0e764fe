package contract_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"example.com/signals"
)

// What grows with the number of listeners, names or priorities, and must not
// grow faster. Each load is one of a pair of which figures_test.go compares a
// large one with a small one.

// comeAndGo: one listener comes and goes among that many.
func comeAndGo(kind string, among int) load {
	var s signals.Signal[tick] = signals.NewSync[tick]()
	if kind == "async" {
		s = signals.New[tick]()
	}
	for range among {
		s.Subscribe(addVolumeErr)
	}
	return timed(func(n int) {
		for range n {
			s.Subscribe(addVolumeErr).Unsubscribe()
		}
	})
}

// onceEach: one emission to that many Once listeners, for each of them anew.
func onceEach(kind string, listeners int) load {
	return func(n int) (took time.Duration) {
		for range n {
			if kind == "sync" {
				s := signals.NewSync[tick]()
				for range listeners {
					s.Subscribe(addVolumeErr, signals.Once())
				}
				begun := time.Now()
				s.Emit(bg, aTick)
				took += time.Since(begun)
				continue
			}
			s := signals.New[tick]()
			for range listeners {
				s.Subscribe(func(context.Context, tick) error { return nil }, signals.Once())
			}
			begun := time.Now()
			s.Emit(bg, aTick)
			emptied(s)
			took += time.Since(begun)
		}
		return took
	}
}

// scopeEnds: Close of the scope of that many listeners of one signal, or Reset of
// the signal.
func scopeEnds(listeners int, byScope bool) load {
	return func(n int) (took time.Duration) {
		for range n {
			s := signals.New[tick]()
			var scope signals.Scope
			for range listeners {
				s.Subscribe(addVolumeErr, signals.In(&scope))
			}
			begun := time.Now()
			if byScope {
				if err := scope.Close(bg); err != nil {
					panic(err)
				}
			} else {
				s.Reset()
			}
			took += time.Since(begun)
			if s.Len() != 0 {
				panic("listeners are left")
			}
		}
		return took
	}
}

// among: Topic, or Lookup, of one of that many names.
func among(names int, lookup bool) load {
	bus := signals.NewBus()
	all := make([]string, names)
	for i := range all {
		all[i] = fmt.Sprintf("topic-%05d", i)
		signals.Topic[tick](bus, all[i])
	}
	return timed(func(n int) {
		for i := range n {
			name := all[i*7919%names]
			if lookup {
				if _, ok := signals.Lookup[tick](bus, name); !ok {
					panic("not found")
				}
			} else if signals.Topic[tick](bus, name) == nil {
				panic("no topic")
			}
		}
	})
}

// making: that many topics on a new bus.
func making(topics int) load {
	names := make([]string, topics)
	for i := range names {
		names[i] = fmt.Sprintf("topic-%05d", i)
	}
	return timed(func(n int) {
		for range n {
			bus := signals.NewBus()
			for _, name := range names {
				signals.Topic[tick](bus, name)
			}
		}
	})
}

// prioritised: Emit to 1,000 idle listeners of that many priorities.
func prioritised(priorities int) load {
	s := signals.New[tick]()
	for i := range 1000 {
		s.Subscribe(func(context.Context, tick) error { return nil }, signals.Priority(i%priorities))
	}
	return func(n int) (took time.Duration) {
		for range n {
			begun := time.Now()
			s.Emit(bg, aTick)
			took += time.Since(begun)
			emptied(s)
		}
		return took
	}
}

// waiting: EmitWait in a loop on a signal that is otherwise idle, with a stack
// that deep.
func waiting(depth int) load {
	s := signals.New[tick]()
	s.Subscribe(addVolumeErr)
	return func(n int) time.Duration {
		return deep(depth, timed(func(n int) {
			for range n {
				if err := s.EmitWait(bg, aTick); err != nil {
					panic(err)
				}
			}
		}), n)
	}
}

//go:noinline
func deep(depth int, l load, n int) time.Duration {
	if depth == 0 {
		return l(n)
	}
	took := deep(depth-1, l, n)
	runtime.KeepAlive(&depth) // a frame of its own
	return took
}

// begun: sync emissions to that many listeners with an observer that has an
// empty ListenerBegin.
func begun(listeners int) load {
	return ticks(syncWith(listeners, addVolume, signals.Observe(signals.Observer{
		ListenerBegin: func(context.Context, *signals.ListenerInfo) context.Context { return nil },
	})))
}

func BenchmarkCliffs(b *testing.B) {
	for _, kind := range []string{"sync", "async"} {
		bench(b, kind+"/come_and_go_among_10000", comeAndGo(kind, 10_000))
		bench(b, kind+"/1000_once", onceEach(kind, 1000))
	}
	bench(b, "scope_of_1000", scopeEnds(1000, true))
	bench(b, "topic_among_1000", among(1000, false))
	bench(b, "lookup_among_1000", among(1000, true))
	bench(b, "making_1000_topics", making(1000))
	bench(b, "1000_priorities", prioritised(1000))
	bench(b, "emit_wait_100_deep", waiting(100))
	bench(b, "100_listeners_begun", begun(100))
}
