package bench

import "github.com/samber/ro"

// samber/ro's hot observable, as its documentation has it: a PublishSubject,
// with an observer for each subscriber, called by Next; and the same with
// ObserveOn, which puts a buffer and a goroutine before each observer.
//
// Not equal: the observers are called in no particular order, with a lock of
// the subject held: an observer must not publish to it. Behind ObserveOn what
// waits is bounded, and a slow observer holds up all. A panic is recovered, as
// with signals, and goes to the observer's OnError, which OnNext leaves empty.
// A context is handed on. Streams with operators are what ro is for; nothing
// here uses them.

const roModule = "github.com/samber/ro"

func roSubject() Peer {
	return Peer{
		Name: "ro", Module: roModule, Setup: "PublishSubject",
		Inline: true, Ordered: true,
		Unequal: "calls under a lock, in no particular order: an observer must not publish; panics are recovered",
		Start: func(handlers []func(Event)) Bus {
			return roWith(handlers, func(s ro.Observable[Event]) ro.Observable[Event] { return s })
		},
	}
}

func roObserveOn() Peer {
	return Peer{
		Name: "ro, ObserveOn", Module: roModule, Setup: "PublishSubject, ObserveOn(1024)",
		Ordered: true,
		Unequal: "bounded: a slow observer holds up all; panics are recovered",
		Start: func(handlers []func(Event)) Bus {
			return roWith(handlers, ro.ObserveOn[Event](queued))
		},
	}
}

func roWith(handlers []func(Event), through func(ro.Observable[Event]) ro.Observable[Event]) Bus {
	subject := ro.NewPublishSubject[Event]()
	var subs []ro.Subscription
	for _, h := range handlers {
		subs = append(subs, through(subject).Subscribe(ro.OnNext(h)))
	}
	return Bus{
		Publish: subject.Next,
		Stop: func() {
			subject.Complete()
			for _, s := range subs {
				s.Wait()
			}
		},
	}
}
