package bench

import "github.com/cskr/pubsub/v2"

// cskr/pubsub as its example has it: a channel for each subscriber of a topic,
// with a goroutine that receives from it. The capacity of the channels is an
// argument of New, about which it says no more.
//
// Not equal: Pub only hands the event to the one goroutine of the PubSub, which
// sends it to all channels; once one of them is full, everything waits for it.
// Topics share that goroutine. No panic is recovered, no context is handed on.

func pubSub() Peer {
	return Peer{
		Name: "cskr/pubsub", Module: "github.com/cskr/pubsub/v2", Setup: "New(1024)",
		Ordered: true,
		Unequal: "bounded: a slow subscriber holds up all topics; one goroutine sends everything; no panic recovery, no context",
		Start: func(handlers []func(Event)) Bus {
			bus := pubsub.New[string, Event](queued)
			all := make([]chan Event, len(handlers))
			for i := range all {
				all[i] = bus.Sub(topic)
			}
			wait := receivers(handlers, func(handle func(Event), i int) {
				for e := range all[i] {
					handle(e)
				}
			})
			return Bus{
				Publish: func(e Event) { bus.Pub(e, topic) },
				Stop:    func() { bus.Shutdown(); wait() },
			}
		},
	}
}
