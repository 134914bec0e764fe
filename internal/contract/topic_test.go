package contract_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/signals"
)

func TestSyncTopicMakesASignalOnceAndFindsItAfterwards(t *testing.T) {
	bus := signals.NewBus(signals.Capacity(1, signals.Block)) // defaults serve signals of every kind
	var n notes
	s := signals.SyncTopic[int](bus, "orders")
	s.AddListener(n.says("a"))
	if same := signals.SyncTopic[int](bus, "orders"); same != s {
		t.Error("two signals of one name")
	}
	signals.SyncTopic[int](bus, "orders").Emit(t.Context(), 1)
	n.expect(t, "a1")
	signals.Topic[int](bus, "async")
	mustPanic(t, func() { signals.SyncTopic[int](bus, "async") }, `SyncTopic "async" wants a sync signal of int`, "an async signal")
	mustPanic(t, func() { signals.Topic[int](bus, "orders") }, `Topic "orders" wants an async signal`, "a sync signal")
	mustPanic(t, func() { signals.SyncTopic[string](bus, "orders") }, "string", "sync signal of int")
	mustPanic(t, func() { signals.SyncTopic[int](nil, "orders") }, `SyncTopic "orders"`, "bus is nil")
	mustPanic(t, func() { signals.SyncTopic[int](bus, "new", signals.MaxWorkers(1)) }, "MaxWorkers is an option of async signals")
	mustPanic(t, func() { signals.SyncTopic[int](bus, "orders", signals.MaxWorkers(1)) }, "MaxWorkers is an option of async signals")
	if err := bus.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if one, two := signals.SyncTopic[int](bus, "late"), signals.SyncTopic[int](bus, "late"); one != two {
		t.Error("on a closed bus packages do not meet")
	}
}

func TestOptionsThatContradictThoseInForcePanic(t *testing.T) {
	handle := func(context.Context, signals.Failure) {}
	logger := newLogged().Logger
	bus := signals.NewBus(signals.SlowAfter(time.Hour))
	made := []signals.Option{
		signals.Capacity(2, signals.Reject), signals.MaxWorkers(3), signals.OnFailure(handle), signals.Logger(logger),
		signals.InitialCapacity(9), signals.Growth(double), signals.Counted(), signals.Name("orders"), signals.OnBus(bus),
	}
	s := signals.Topic[int](bus, "orders", made...)
	for _, same := range append(made, signals.SlowAfter(time.Hour)) {
		if signals.Topic[int](bus, "orders", same) != s {
			t.Error("another signal")
		}
	}
	signals.Topic[int](bus, "bare")
	site := bus.Signals()[0].Site
	for want, o := range map[string]signals.Option{
		"Capacity(2, Block) where there is (2, Reject)":  signals.Capacity(2, signals.Block),
		"Capacity(4, Reject) where there is (2, Reject)": signals.Capacity(4, signals.Reject),
		"MaxWorkers(1) where there is 3":                 signals.MaxWorkers(1),
		"OnFailure":                                      signals.OnFailure(func(context.Context, signals.Failure) { panic("another") }),
		"Logger":                                         signals.Logger(newLogged().Logger),
		"InitialCapacity":                                signals.InitialCapacity(8),
		"Growth":                                         signals.Growth(func(n int) int { return n + 1 }),
		"SlowAfter(1m0s) where there is 1h0m0s":          signals.SlowAfter(time.Minute),
		"Observe":                                        signals.Observe(signals.Observer{}),
		"two names":                                      signals.Name("other"),
		"one bus only":                                   signals.OnBus(signals.NewBus()),
	} {
		texts := []string{`Topic "orders"`, want}
		if !strings.Contains(want, "one bus") && !strings.Contains(want, "names") {
			texts = append(texts, site, "contract/topic_test.go:")
		}
		mustPanic(t, func() { signals.Topic[int](bus, "orders", o) }, texts...)
	}
	mustPanic(t, func() { signals.Topic[int](bus, "bare", made[:7]...) }, "Capacity(2, Reject) where there is none", "MaxWorkers(3) where there is none", "Growth")
	if len(bus.Signals()) != 2 {
		t.Error(fmt.Sprint(bus.Signals()))
	}
}

func double(n int) int { return 2*n + 1 }
