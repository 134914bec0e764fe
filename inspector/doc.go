// Package inspector shows what the signals of a bus are doing: a page to mount
// in a program's own HTTP server, and the same as JSON.
//
//	mux.Handle("/debug/signals/", http.StripPrefix("/debug/signals", inspector.Handler(bus)))
//
// The page lists signals and listeners, the worst first, with their rates,
// failures, vetoes, drops, lag and durations, and removed listeners that still run, draws how they are wired, keeps the last
// failures with their stacks, and says what looks wrong and what to do about it.
// It is live, once a second, and as a static page useful without JavaScript.
// Nothing registers itself, nothing is loaded from elsewhere, and all links are
// relative. Where a router does not strip what is before the pages, that is
// fine too; what matters is that all below the address comes here, and that it
// ends in a slash.
//
// # Cost
//
// The inspector reads counters, once a second while somebody looks, and never
// the stream of events. Its [signals.Observer] is called for failures and drops
// only, but for a moment, when somebody looks and at the very beginning, for
// emissions too, to learn from where they are made ([CallSites]): a busy program
// pays that for some thousands of emissions, and then no more. Payloads are
// looked at only with [Payloads].
//
// What is shown is rendered once for each sample and sent to all who ask for the
// same; the pages of a browser share one stream, which ends while nobody sees
// them. A browser that is slow or has stalled holds up nobody and holds back at
// most the one event that is being written to it: it gets the latest state when
// it comes back, or is cut off. There are at most 100 streams and 100 answers at
// once, and each is bounded, whatever is asked.
//
// Stuck listeners of sync signals are found in the stacks of all goroutines.
// These are read when the diagnosis is asked for, and while a page is open each
// 5 seconds unless there are more than 1,000 goroutines: with those, 5 ms for
// the goroutine profile, and then, if it has one inside an emission of a sync
// signal, 10 ms during which the program stands still. docs/inspector.md says
// what counts as stuck.
//
// Event stores ([Stores]) are asked once a second while somebody looks, and hold
// up a look for a second at most. The data of their events is not shown.
//
// No goroutine runs while nobody looks, but one that still waits for a store. [Inspector.Close] lets go of the bus
// and ends the streams, for which an http.Server's Shutdown waits otherwise:
//
//	insp := inspector.New(bus)
//	server.RegisterOnShutdown(insp.Close)
//
// # Access
//
// Unless [Authorize] is given, only requests from this machine get an answer:
// they must come from a loopback address or over a Unix socket, be for a loopback
// Host, and show nothing of a proxy, such as its headers, HTTP/1.0 or a
// connection that is to be closed. That is no fence: a reverse proxy on the same
// machine that shows nothing of itself makes everybody look local. Behind one,
// Authorize is a must. An open stream asks for the right again before each event.
//
// A function of Authorize can build on that rule with [LocalOnly].
//
// Payloads are a right of their own, [ViewPayloads], which only Authorize grants.
// They are written as their types want to be ([Payloads]), or as [Redact] says.
// The inspector changes nothing and answers only GET and HEAD. Texts of errors
// and stacks are shown to whoever may look, so keep out of them what they may not
// see.
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
//	stores.json      a [StoreList]: the event stores of the option [Stores], with the first dead letters
//	bridges.json     a [BridgeList]
//	failures.json    a [FailureLog]: the last ones, newest first, and all in groups
//	payloads.json    a [Tail]: the last payloads of one signal (signal=NAME)
//	stacks.json      [Stacks]: the goroutines that run a listener (signal=NAME, listener=ID)
//
// snapshot.json and events take these parameters: q (words that the name of
// the signal or of one of its listeners must contain), sort (name, rate,
// emissions, failures, vetoes, drops, pending, listeners, p99, status; a minus in front
// turns it around; -status, the worst first, without it), limit (100 without it,
// at most 1,000, for which 0 stands) and offset, signal=NAME (that one only),
// history=1 (recent rates, which stores.json takes too), and each=1 (each registration, where there is one
// row for those of one place). An answer has at most 5,000 listeners. graph.*
// take q, limit (60 without it, at most 300) and offset, failures.json signal, q
// and limit. Rates are over the time since the snapshot before, which
// Snapshot.Interval gives; a program that asks once gets the mean since somebody
// last looked. A query has at most 8 KB, q 256 bytes.
//
// diagnosis.json?wait=2s looks for that long, to tell what grows or does not
// move, before it answers (at most 30s; the server's WriteTimeout is put off).
// Failures, drops and refusals are wrong if they were within window (1m without
// it, 1s to 1m); the inspector notes when they are, so that holds also if nobody
// has looked, but for refusals by TryEmit and Offer, which it knows from the
// counters. That a listener of a sync signal is stuck takes two looks StuckAfter
// apart, or some minutes.
//
// Answers are compressed for whoever takes gzip. Errors have a status of 400 and
// above and a text that says what to do: 403 for whoever may not look, 404 for
// what is not there, 503 where too many look.
package inspector
