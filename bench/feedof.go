package bench

import "github.com/ethereum/go-ethereum/event"

// go-ethereum's FeedOf as its documentation and examples have it: a buffered
// channel for each subscriber ("ample buffer space"), a goroutine that selects
// on it and on an end, and Send from anywhere.
//
// Not equal: Send handles one event at a time and returns when it is in
// every buffer: a slow subscriber holds up all. It sends by
// reflection. What handles an event is the subscriber's own goroutine, so that
// panics are its own affair. No context is handed on.

func feedOf() Peer {
	return Peer{
		Name: "FeedOf", Module: "github.com/ethereum/go-ethereum", Setup: "buffered channels (1,024)",
		Ordered: true,
		Unequal: "bounded: a slow subscriber holds up all; reflection; no panic recovery, no context",
		Start: func(handlers []func(Event)) Bus {
			var feed event.FeedOf[Event]
			end := make(chan struct{})
			all, subs := make([]chan Event, len(handlers)), make([]event.Subscription, len(handlers))
			for i := range all {
				all[i] = make(chan Event, queued)
				subs[i] = feed.Subscribe(all[i])
			}
			wait := receivers(handlers, func(handle func(Event), i int) {
				defer subs[i].Unsubscribe()
				for {
					select {
					case e := <-all[i]:
						handle(e)
					case <-end:
						return
					}
				}
			})
			return Bus{
				Publish: func(e Event) { feed.Send(e) },
				Stop:    func() { close(end); wait() },
			}
		},
	}
}
