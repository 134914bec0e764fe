package bench

import (
	"context"

	"example.com/signals"
)

// The two signals of this repository, with nothing turned off: panics are
// recovered, failures are counted, AsyncSignal has no bound on what waits.
// Subscribe is what the guides teach; the handlers return no error.

const signalsModule = "example.com/signals"

func signalsSync() Peer {
	return Peer{
		Name: "signals, sync", Module: signalsModule, Setup: "NewSync, Subscribe",
		Inline: true, Ordered: true,
		Unequal: "the measure for those that call handlers inline",
		Start: func(handlers []func(Event)) Bus {
			s := signals.NewSync[Event]()
			for _, h := range handlers {
				s.Subscribe(func(_ context.Context, e Event) error { h(e); return nil })
			}
			ctx := context.Background()
			return Bus{
				Publish: func(e Event) { s.Emit(ctx, e) },
				Stop:    s.Reset,
			}
		},
	}
}

func signalsAsync() Peer {
	return Peer{
		Name: "signals, async", Module: signalsModule, Setup: "New, Subscribe",
		Ordered: true,
		Unequal: "the measure for the others; what waits is not bounded",
		Start: func(handlers []func(Event)) Bus {
			s := signals.New[Event]()
			for _, h := range handlers {
				s.Subscribe(func(_ context.Context, e Event) error { h(e); return nil })
			}
			ctx := context.Background()
			return Bus{
				Publish: func(e Event) { s.Emit(ctx, e) },
				Stop:    func() { must(s.Close(ctx)) },
			}
		},
	}
}
