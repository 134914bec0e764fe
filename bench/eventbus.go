package bench

import "github.com/asaskevich/EventBus"

// asaskevich/EventBus as its README has it: a function for a topic, called by
// Publish (Subscribe) or on a goroutine for each event (SubscribeAsync, here
// transactional: one call at a time, which also keeps the order).
//
// Not equal: arguments are values of any type that reflection hands over.
// Subscribe calls the handlers with the lock of the bus held, so that a handler
// must not publish or subscribe; SubscribeAsync lets one event wait for each
// subscriber, and the publisher with it. No panic is recovered, no context is
// handed on. Events of several topics share one lock.

const (
	eventBusModule = "github.com/asaskevich/EventBus"
	topic          = "events"
)

func eventBus() Peer {
	return Peer{
		Name: "EventBus", Module: eventBusModule, Setup: "Subscribe",
		Inline: true, Ordered: true,
		Unequal: "calls by reflection, under the lock of the bus: a handler must not publish; no panic recovery, no context",
		Start: func(handlers []func(Event)) Bus {
			bus := EventBus.New()
			for _, h := range handlers {
				must(bus.Subscribe(topic, h))
			}
			return Bus{
				Publish: func(e Event) { bus.Publish(topic, e) },
				Stop:    func() {},
			}
		},
	}
}

func eventBusAsync() Peer {
	return Peer{
		Name: "EventBus, async", Module: eventBusModule, Setup: "SubscribeAsync, transactional",
		Ordered: true,
		Unequal: "a goroutine for each call, one waits at most: a slow subscriber holds up all; reflection; no panic recovery, no context",
		Start: func(handlers []func(Event)) Bus {
			bus := EventBus.New()
			for _, h := range handlers {
				must(bus.SubscribeAsync(topic, h, true))
			}
			return Bus{
				Publish: func(e Event) { bus.Publish(topic, e) },
				Stop:    bus.WaitAsync,
			}
		},
	}
}
