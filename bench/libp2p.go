package bench

import (
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
)

// go-libp2p's eventbus as its documentation has it: an emitter for a type, a
// subscription for each subscriber and a goroutine that ranges over its Out.
// Its channels hold 16 events by default; here 1,024, as with the others.
//
// Not equal: a channel of any values carries the events. Emit holds the lock of
// the type while it sends to all: a slow subscriber holds up all, with a
// warning in the log after a second. No panic is recovered, no context is
// handed on.

func libp2p() Peer {
	return Peer{
		Name: "libp2p eventbus", Module: "github.com/libp2p/go-libp2p", Setup: "BufSize(1024)",
		Ordered: true,
		Unequal: "bounded: a slow subscriber holds up all; payload boxed in an interface; no panic recovery, no context",
		Start: func(handlers []func(Event)) Bus {
			bus := eventbus.NewBus()
			emitter, err := bus.Emitter(new(Event))
			must(err)
			subs := make([]event.Subscription, len(handlers))
			for i := range subs {
				subs[i], err = bus.Subscribe(new(Event), eventbus.BufSize(queued))
				must(err)
			}
			wait := receivers(handlers, func(handle func(Event), i int) {
				for e := range subs[i].Out() {
					handle(e.(Event))
				}
			})
			return Bus{
				Publish: func(e Event) { must(emitter.Emit(e)) },
				Stop: func() {
					for _, s := range subs {
						must(s.Close())
					}
					wait()
					must(emitter.Close())
				},
			}
		},
	}
}
