package bench

import "sync"

// An Event is the payload: 32 bytes with a string.
type Event struct {
	Symbol string
	Seq    uint64
	At     int64 // nanoseconds since the process began; 0 if nobody asks
}

// queued is how many events wait at most for one subscriber, where a peer has
// such a bound and leaves it to its user.
const queued = 1024

// A Peer is one way to hand events to subscribers.
type Peer struct {
	Name   string
	Module string // that it is part of; empty for what Go has itself
	Setup  string // as its documentation has it, in a few words

	// Inline: the handlers run on the goroutine that publishes.
	Inline bool
	// Ordered: each subscriber handles events in the order of their publisher.
	Ordered bool
	// Unequal is what it does less or more than signals, for the table.
	Unequal string

	// Start subscribes each handler once. A handler is called for one event
	// at a time, but for Inline with several publishers.
	Start func(handlers []func(Event)) Bus
}

// A Bus is a peer with its subscribers.
type Bus struct {
	Publish func(Event)
	// Stop is called when all events are handled; no goroutine stays.
	Stop func()
}

// Peers are all there are, those of signals and the bare channel first.
func Peers() []Peer {
	return []Peer{
		signalsSync(), signalsAsync(), channels(),
		eventBus(), eventBusAsync(),
		watermillDefault(), watermillAcked(),
		feedOf(), pubSub(),
		roSubject(), roObserveOn(),
		libp2p(),
	}
}

// receivers runs a goroutine for each handler. Its wait returns when all of
// them have returned.
func receivers(handlers []func(Event), receive func(handler func(Event), i int)) (wait func()) {
	var wg sync.WaitGroup
	for i, h := range handlers {
		wg.Go(func() { receive(h, i) })
	}
	return wg.Wait
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
