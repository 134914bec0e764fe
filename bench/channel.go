package bench

// What one would write by hand: a buffered channel and a goroutine for each
// subscriber, and a loop that sends on all of them.
//
// Not equal: a subscriber that is behind by the buffer holds up the publisher,
// and with it all others. Nothing comes or goes, nothing recovers a panic or
// counts, and no context is handed on.

func channels() Peer {
	return Peer{
		Name: "channel each", Setup: "a loop over buffered channels (1,024), a goroutine each",
		Ordered: true,
		Unequal: "bounded: a slow subscriber holds up all; no panic recovery, no removal, no context",
		Start: func(handlers []func(Event)) Bus {
			all := make([]chan Event, len(handlers))
			for i := range all {
				all[i] = make(chan Event, queued)
			}
			wait := receivers(handlers, func(handle func(Event), i int) {
				for e := range all[i] {
					handle(e)
				}
			})
			return Bus{
				Publish: func(e Event) {
					for _, c := range all {
						c <- e
					}
				},
				Stop: func() {
					for _, c := range all {
						close(c)
					}
					wait()
				},
			}
		},
	}
}
