package contract_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"example.com/signals"
)

// makers make a signal of each kind with options.
var makers = map[signals.Kind]func(...signals.Option) signals.Signal[int]{
	signals.KindSync:    func(o ...signals.Option) signals.Signal[int] { return signals.NewSync[int](o...) },
	signals.KindAsync:   func(o ...signals.Option) signals.Signal[int] { return signals.New[int](o...) },
	signals.KindSharded: func(o ...signals.Option) signals.Signal[int] { return signals.NewSharded[int](2, nil, o...) },
}

// everyKind runs a test on a signal of each kind.
func everyKind(t *testing.T, test func(t *testing.T, s signals.Signal[int]), opts ...signals.Option) {
	t.Helper()
	for kind, build := range makers {
		t.Run(string(kind), func(t *testing.T) { test(t, build(opts...)) })
	}
}

func nothing(context.Context, int) error { return nil }

func TestAnOptionThatMakesNoSensePanicsWhenTheSignalIsMade(t *testing.T) {
	var noBus *signals.Bus
	for text, o := range map[string]signals.Option{
		"an Option is nil":                     nil,
		`Name("")`:                             signals.Name(""),
		`two names`:                            signals.Name("bills"),
		"OnBus(nil)":                           signals.OnBus(noBus),
		"OnFailure(nil)":                       signals.OnFailure(nil),
		"Logger(nil)":                          signals.Logger(nil),
		"InitialCapacity(-1): want 0 or more":  signals.InitialCapacity(-1),
		"Growth(nil)":                          signals.Growth(nil),
		"Capacity(0): want 1 or more":          signals.Capacity(0, signals.Reject),
		"Capacity(-5): want 1 or more":         signals.Capacity(-5, signals.Block),
		"Capacity(1, 2): want Block or Reject": signals.Capacity(1, signals.Overflow(2)),
		"MaxWorkers(0): want 1 or more":        signals.MaxWorkers(0),
		"MaxWorkers(-1): want 1 or more":       signals.MaxWorkers(-1),
		"SlowAfter(0s): want a positive":       signals.SlowAfter(0),
		"SlowAfter(-1ns): want a positive":     signals.SlowAfter(-1),
	} {
		for kind, build := range makers {
			mustPanic(t, func() { build(signals.Name("orders"), o) }, text, `"orders"`, string(kind))
			mustPanic(t, func() { build(o, signals.Name("orders")) }, text, `"orders"`)
		}
		var sync signals.SyncSignal[int]
		var async signals.AsyncSignal[int]
		mustPanic(t, func() { sync.Init(signals.Name("orders"), o) }, text, `"orders"`)
		mustPanic(t, func() { async.Init(signals.Name("orders"), o) }, text, `"orders"`)
		// A refused Init is no use: a right one still can follow.
		sync.Init(signals.Counted())
		async.Init(signals.Counted())
	}
}

func TestOptionsOfAsyncSignalsPanicOnSyncOnes(t *testing.T) {
	for text, o := range map[string]signals.Option{
		"Capacity":   signals.Capacity(1, signals.Reject),
		"MaxWorkers": signals.MaxWorkers(1),
	} {
		want := text + " is an option of async signals"
		mustPanic(t, func() { signals.NewSync[int](o, signals.Name("orders")) }, want, `sync signal "orders"`)
		mustPanic(t, func() { signals.NewSync[int](o) }, want, `sync signal "int"`)
		var held signals.SyncSignal[int]
		mustPanic(t, func() { held.Init(o) }, want, "int")
	}
}

func TestASignalIsOnOneBusOnly(t *testing.T) {
	one, two := signals.NewBus(), signals.NewBus()
	for _, build := range makers {
		mustPanic(t, func() { build(signals.Name("orders"), signals.OnBus(one), signals.OnBus(two)) }, "one bus only", `"orders"`)
	}
	if n := len(one.Signals()) + len(two.Signals()); n != 0 {
		t.Errorf("%d signals joined all the same", n)
	}
	signals.New[int](signals.Name("orders"), signals.OnBus(one), signals.OnBus(one)) // says the same twice
	if n := len(one.Signals()); n != 1 {
		t.Errorf("%d signals on the bus, want 1", n)
	}
}

func TestDefaultsThatMakeNoSensePanicWhenTheBusIsMade(t *testing.T) {
	for text, o := range map[string]signals.Option{
		"an Option is nil": nil,
		"Name and OnBus":   signals.Name("orders"),
		"as defaults":      signals.OnBus(signals.NewBus()),
		"Capacity(0)":      signals.Capacity(0, signals.Block),
		"OnFailure(nil)":   signals.OnFailure(nil),
	} {
		mustPanic(t, func() { signals.NewBus(signals.Counted(), o) }, "NewBus", text)
	}
}

func TestNewShardedNeedsAShard(t *testing.T) {
	for _, n := range []int{0, -1} {
		mustPanic(t, func() { signals.NewSharded[int](n, nil) }, fmt.Sprintf("NewSharded(%d)", n), "1 shard or more")
	}
}

func TestInitAfterTheFirstUsePanics(t *testing.T) {
	for use, fn := range map[string]func(*signals.AsyncSignal[int]){
		"Init":      func(s *signals.AsyncSignal[int]) { s.Init() },
		"Emit":      func(s *signals.AsyncSignal[int]) { s.Emit(t.Context(), 1) },
		"Subscribe": func(s *signals.AsyncSignal[int]) { s.Subscribe(nothing) },
		"Pending":   func(s *signals.AsyncSignal[int]) { s.Pending() },
		"Stats":     func(s *signals.AsyncSignal[int]) { s.Stats() },
	} {
		var s signals.AsyncSignal[int]
		fn(&s)
		t.Run(use, func(t *testing.T) {
			mustPanic(t, func() { s.Init(signals.Name("late")) }, "Init", `"int`, "first use")
		})
	}
	var s signals.SyncSignal[int]
	s.Stats()
	mustPanic(t, func() { s.Init(signals.Name("late")) }, "Init", `"int"`, "first use")
	made := signals.New[int](signals.Name("orders"))
	mustPanic(t, func() { made.Init(signals.Counted()) }, `Init of "orders"`, "first use")
}

func TestAListenerOptionThatMakesNoSensePanicsAtRegistration(t *testing.T) {
	var noScope *signals.Scope
	var a, b signals.Scope
	text := func(string) bool { return true }
	for want, opts := range map[string][]signals.ListenerOption{
		"a ListenerOption is nil":                {nil},
		`Key("")`:                                {signals.Key("")},
		`two keys for one listener: "a" and "b"`: {signals.Key("a"), signals.Key("b")},
		`two keys for one listener: "a" and "a"`: {signals.Key("a"), signals.Key("a")},
		"Filter(nil)":                            {signals.Filter[int](nil)},
		"the Filter is a func(string) bool, the payload an int; want a func(int) bool": {signals.Filter(text)},
		"In(nil)":                               {signals.In(noScope)},
		"In twice":                              {signals.In(&a), signals.In(&b)},
		"Concurrency(0): want 1 or more":        {signals.Concurrency(0)},
		"Concurrency(-1): want 1 or more":       {signals.Concurrency(-1)},
		"MaxLag(0): want 1 or more":             {signals.MaxLag(0, signals.DropOldest)},
		"MaxLag(-1): want 1 or more":            {signals.MaxLag(-1, signals.KeepLatest)},
		"MaxLag(1, 2): want DropOldest or Keep": {signals.MaxLag(1, signals.LagPolicy(2))},
	} {
		everyKind(t, func(t *testing.T, s signals.Signal[int]) {
			mustPanic(t, func() { s.Subscribe(nothing, opts...) }, want, `Subscribe on "orders"`)
			mustPanic(t, func() { _, _ = s.TrySubscribe(nothing, opts...) }, want, `TrySubscribe on "orders"`)
			if s, ok := s.(*signals.SyncSignal[int]); ok {
				step := func(context.Context, int) (signals.Undo, error) { return nil, nil }
				mustPanic(t, func() { s.Step(step, opts...) }, want, `Step on "orders"`)
			}
			if s, ok := s.(*signals.AsyncSignal[int]); ok {
				mustPanic(t, func() {
					for range s.Events(t.Context(), opts...) {
						t.Error("a payload")
					}
				}, want, `Events on "orders"`)
			}
			if s.Len() != 0 || len(s.Keys()) != 0 {
				t.Errorf("%d listeners were added, keys %q", s.Len(), s.Keys())
			}
		}, signals.Name("orders"))
	}
	if a.Len()+b.Len() != 0 {
		t.Error("a scope took a registration that failed")
	}
}

func TestListenerOptionsOfAsyncSignalsPanicOnSyncOnes(t *testing.T) {
	s := signals.NewSync[int](signals.Name("orders"))
	for text, o := range map[string]signals.ListenerOption{
		"Concurrency": signals.Concurrency(2),
		"MaxLag":      signals.MaxLag(1, signals.DropOldest),
	} {
		mustPanic(t, func() { s.Subscribe(nothing, o) }, text+" is an option of async signals", `Subscribe on "orders"`)
	}
}

func TestANilListenerPanicsNamingTheSignalAndTheCall(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		want := func(call string) []string { return []string{call + ` on "orders"`, "the listener is nil"} }
		mustPanic(t, func() { s.AddListener(nil) }, want("AddListener")...)
		mustPanic(t, func() { s.AddListenerWithErr(nil, "key") }, want("AddListenerWithErr")...)
		mustPanic(t, func() { s.Subscribe(nil, signals.Key("key")) }, want("Subscribe")...)
		mustPanic(t, func() { _, _ = s.TrySubscribe(nil) }, want("TrySubscribe")...)
		if s, ok := s.(*signals.SyncSignal[int]); ok {
			mustPanic(t, func() { s.Step(nil) }, want("Step")...)
		}
		if s.Len() != 0 || s.HasKey("key") {
			t.Error("a nil listener was added")
		}
	}, signals.Name("orders"))
}

func TestTheShortFormTakesOneKeyAtMost(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		plain := func(context.Context, int) {}
		mustPanic(t, func() { s.AddListener(plain, "a", "b") }, `AddListener on "orders"`, `2 keys ["a" "b"]`)
		mustPanic(t, func() { s.AddListenerWithErr(nothing, "a", "b") }, `AddListenerWithErr on "orders"`, "one at most")
		for i, add := range []func() int{
			func() int { return s.AddListener(plain, "a") },
			func() int { return s.AddListener(plain, "") }, // an empty key is no key
			func() int { return s.AddListenerWithErr(nothing, "") },
		} {
			if n := add(); n != i+1 {
				t.Errorf("got %d, want %d", n, i+1)
			}
		}
		if n := s.AddListener(plain, "a"); n != -1 {
			t.Errorf("taken key: got %d, want -1", n)
		}
		if n := s.AddListenerWithErr(nothing, "a"); n != -1 || s.Len() != 3 {
			t.Errorf("taken key: got %d, want -1; %d listeners", n, s.Len())
		}
		for _, key := range []string{"", "b"} {
			if n := s.RemoveListener(key); n != -1 || s.HasKey(key) {
				t.Errorf("RemoveListener(%q): got %d, want -1", key, n)
			}
		}
		if keys := s.Keys(); !slices.Equal(keys, []string{"a"}) {
			t.Errorf("keys %q", keys)
		}
		if n := s.RemoveListener("a"); n != 2 {
			t.Errorf("%d left, want 2", n)
		}
		if n := s.AddListener(plain, "a"); n != 3 {
			t.Errorf("the key is free again: got %d, want 3", n)
		}
	}, signals.Name("orders"))
}

func TestATakenKeyPanicsInSubscribeAndIsAnErrorOfTrySubscribe(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		s.Subscribe(nothing, signals.Key("a"))
		mustPanic(t, func() { s.Subscribe(nothing, signals.Key("a")) }, `key "a" on "orders"`, "key is taken")
		sub, err := s.TrySubscribe(nothing, signals.Key("a"))
		wantError(t, err, signals.ErrKeyTaken, `signals: key "a" on "orders": key is taken`)
		if sub != nil || s.Len() != 1 {
			t.Errorf("subscription %v, %d listeners", sub, s.Len())
		}
	}, signals.Name("orders"))
}

// A signal's own option overrides the default of its bus, one by one.
func TestOptionsOverrideTheDefaultsOfTheBusOneByOne(t *testing.T) {
	var n notes
	var grown []int
	busLog, ownLog := newLogged(), newLogged()
	bus := signals.NewBus(
		signals.Logger(busLog.Logger),
		signals.Observe(n.observer("bus")),
		signals.Growth(func(c int) int { grown = append(grown, c); return c + 1 }),
		signals.InitialCapacity(3),
	)
	def := signals.NewSync[int](signals.OnBus(bus), signals.Name("def"))
	own := signals.NewSync[int](signals.OnBus(bus), signals.Name("own"), signals.Logger(ownLog.Logger),
		signals.Observe(n.observer("own")), signals.InitialCapacity(1))
	for range 4 {
		def.AddListenerWithErr(nothing)
	}
	if !slices.Equal(grown, []int{3}) {
		t.Errorf("the bus's InitialCapacity and Growth: asked for %v, want once for 3", grown)
	}
	grown = nil
	for range 3 {
		own.AddListenerWithErr(nothing)
	}
	if !slices.Equal(grown, []int{1, 2}) {
		t.Errorf("the own InitialCapacity: asked for %v, want for 1 and 2", grown)
	}
	def.Emit(t.Context(), 1)
	n.expect(t, "bus begin def", "bus end def <nil>")
	own.Emit(t.Context(), 1)
	n.expect(t, "bus begin own", "own begin own", "bus end own <nil>", "own end own <nil>")

	def.AddListenerWithErr(n.fails("x", errNo))
	def.Emit(t.Context(), 1)
	own.AddListenerWithErr(n.fails("x", errNo))
	own.Emit(t.Context(), 1)
	if b, o := busLog.all(), ownLog.all(); len(b) != 1 || b[0].attrs["signal"] != "def" || len(o) != 1 || o[0].level != slog.LevelError {
		t.Errorf("bus logged %v, own %v", b, o)
	}
}
