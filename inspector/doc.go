// Package inspector shows what the signals of a bus are doing: a page to mount
// in a program's own HTTP server, and the same as JSON.
//
//	mux.Handle("/debug/signals/", http.StripPrefix("/debug/signals", inspector.Handler(bus)))
//
// The page lists signals and listeners with their rates, failures, drops, lag
// and durations, draws how they are wired, keeps the last failures with their
// stacks, and says what looks wrong. It is live, once a second, and as a
// static page useful without JavaScript. Nothing registers itself, nothing is
// loaded from elsewhere, and all links are relative.
//
// # Cost
//
// The inspector reads counters, once a second while somebody looks, and never
// the stream of events. Its [signals.Observer] is called for failures only, but
// for a moment, when somebody looks and at the very beginning, for emissions
// too, to learn from where they are made ([CallSites]): a busy program pays
// that for some thousands of emissions, and then no more. Payloads are looked
// at only with [Payloads]. A browser that has stalled holds
// up nobody: it gets the latest state when it comes back, or is cut off.
//
// Stuck listeners of sync signals are found in the stacks of all goroutines.
// These are read when the diagnosis is asked for, and while a page is open each
// 5 seconds unless there are more than 1,000 goroutines: with those, 5 ms for
// the goroutine profile, and then, if it has one inside an emission of a sync
// signal, 10 ms during which the program stands still. docs/inspector.md says
// what counts as stuck.
//
// No goroutine runs while nobody looks. [Inspector.Close] lets go of the bus
// and ends the streams, for which an http.Server's Shutdown waits otherwise:
//
//	insp := inspector.New(bus)
//	server.RegisterOnShutdown(insp.Close)
//
// # Access
//
// Unless [Authorize] is given, only requests from this machine get an answer:
// the peer's address and the Host header must both be loopback, and a request
// that says it was forwarded is refused, whatever it says. Payloads are a right
// of their own. The inspector changes nothing and answers only GET and HEAD.
// Texts of errors and stacks are shown to whoever may look, so keep out of them
// what they may not see.
//
// # JSON
//
// All paths are relative to where the handler is mounted. Fields may be added;
// those that are here keep their names and meaning.
//
//	snapshot.json    a [Snapshot]
//	events           server-sent events: each second one named "snapshot", whose data is a Snapshot
//	diagnosis.json   a [Diagnosis]; stacks=1 adds the stacks of stuck listeners
//	graph.json       a [Graph]; also graph.svg, graph.dot and graph.mmd (Mermaid)
//	failures.json    a [FailureLog], newest first
//	payloads.json    a [Tail]: the last payloads of one signal (signal=NAME)
//	stacks.json      [Stacks]: the goroutines that run a listener (signal=NAME, listener=ID)
//
// snapshot.json and events take these parameters: q (words that the name of
// the signal or of one of its listeners must contain), sort (name, rate,
// emissions, failures, drops, pending, listeners, p99; a minus in front turns
// it around), limit and offset, signal=NAME (that one only), and history=1
// (recent rates). graph.* take q and limit, failures.json signal. Rates are
// over the time since the snapshot before, which Snapshot.Interval gives; a
// program that asks once gets the mean since somebody last looked.
//
// diagnosis.json?wait=2s looks for that long, to tell what grows or does not
// move, before it answers (at most 30s). That a listener of a sync signal is
// stuck takes two looks StuckAfter apart, or some minutes.
//
// Errors have a status of 400 and above and a text that says what to do: 403
// for whoever may not look, 404 for what is not there.
package inspector
