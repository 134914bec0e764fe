// Package signals provides typed, in-process events: a signal hands each
// payload that is emitted on it to every listener that is registered on it.
// A [SyncSignal] runs its listeners in the goroutine that emits and can undo
// what they did; an [AsyncSignal] accepts the emission and runs them on
// goroutines of its own, each listener in order and at its own pace.
//
//	orders := signals.NewSync[Order](signals.Name("order.placed"))
//	orders.Subscribe(validate, signals.Key("validate"))
//	orders.Step(reserve, signals.Key("stock")) // returns how to undo it
//	orders.Step(charge, signals.Key("payment"))
//
//	accepted := signals.New[Order](signals.Name("order.accepted"))
//	accepted.Subscribe(ship, signals.Key("shipping"))
//
//	if err := orders.TryEmit(ctx, order); err != nil {
//		return err // signals: listener 2 "payment" of "order.placed" failed: ...
//	}
//	accepted.Emit(ctx, order) // waits for nobody
//
// # Words
//
// An emission is one Emit and its payload; a delivery is one emission handed
// to one listener. An emission is pending while an async signal has accepted
// it and some listener that should get it has not finished it; the lag of a
// listener is the number of emissions pending for it. A failure is an error
// returned by a listener, or a panic in it. A drop is an accepted emission that
// one listener will not get; a refusal is an emission that was not accepted. A
// worker is a goroutine that runs listeners of an async signal.
//
// # Contract
//
// What follows holds for every signal; what is said of AsyncSignal holds for
// each shard of a [ShardedSignal]. No lock of the package is held while user
// code runs.
//
// # When Emit returns, and what it costs
//
//   - SyncSignal: after every listener has run, in the caller's goroutine. One
//     atomic load, one deferred recovery, and the calls; no lock and no
//     allocation. Counting adds two atomic additions and one for each
//     listener; a signal with a Step, Once, Filter or Until, an observer or
//     SlowAfter goes through a slower loop.
//   - AsyncSignal: once the emission is accepted. By default it waits for
//     nobody. One append to a log that all listeners share, which costs the
//     same for 1 listener and for 1,000. No allocation, but one of 16 bytes if
//     the context can be cancelled.
//
// # Who gets an emission
//
//   - SyncSignal: the listeners that were registered when Emit began.
//   - AsyncSignal: the listeners that were registered when it was accepted. If
//     there were none it is accepted and not stored.
//   - [Retain](n): a new listener first gets the last n accepted emissions, or as
//     many as there were, in order, without a gap or a repetition before what
//     follows. They are its work like any other, for Drain, Capacity and MaxLag,
//     and Once takes the oldest; EmitWait does not wait for them, and it gets the
//     values of their contexts only. A listener with [FromNow], and a Tap, gets
//     none, and a closed signal has none.
//
// # Order
//
//   - SyncSignal: by priority, then in registration order; removing a listener
//     never reorders the others. A nested Emit finishes before the outer one
//     goes on.
//   - AsyncSignal: each listener gets emissions in the order in which they were
//     accepted, one call at a time, each call happening before the next. With
//     Concurrency(n) calls start in that order, n at once. There is no order
//     between two listeners, or between two signals.
//
// # Slow listeners
//
//   - SyncSignal: a slow listener delays the caller. Nothing is locked: two
//     goroutines that emit at the same time run the listeners at the same time,
//     also one listener with itself.
//   - AsyncSignal: it delays nobody else while there are fewer workers than
//     MaxWorkers, which without that option is always. Under it a worker leaves
//     a listener after at most one chunk of the log when others wait, and takes
//     the one of highest priority next, but one time in sixteen the next one in
//     turn: priority alone starves nobody.
//
// # Failures
//
//   - SyncSignal: TryEmit stops at the first failure and returns it; TryEmitAll
//     runs every listener and joins the failures; Emit runs every listener and
//     reports each failure to the failure handler. What TryEmit and TryEmitAll
//     return goes to no handler, unless a Goexit takes their caller away.
//   - AsyncSignal: a failure goes to the failure handler; EmitWait returns it as
//     well.
//   - A panic is a failure: a [*PanicError] with the stack. The worker goes on.
//   - A [Veto] is an expected no, and no failure: TryEmit stops, undoes and
//     returns it, TryEmitAll and EmitWait return it, it is counted as a veto and
//     goes to no handler. An error is a veto if all that are joined in it are. A
//     panic with one is a panic; an Undo that fails makes it a failure.
//   - A listener that returns [SkipRest] has not failed. On a SyncSignal those
//     behind it are not called, nothing is undone, and TryEmit returns nil; on an
//     AsyncSignal it is as nil.
//   - runtime.Goexit in a listener of a SyncSignal is not stopped, and ends the
//     goroutine that emits; TryEmit runs the undos while unwinding. On an
//     AsyncSignal it is a failure with [ErrGoexit], and the worker is replaced.
//   - The handler is the signal's ([OnFailure]), else the bus's, else a line
//     logged with slog, with the stack of a panic: a failure is never silent. It
//     runs on the goroutine that ran the listener, before that listener's next
//     call. A handler that panics is logged. A signal whose payload is
//     [Failure] logs its own failures and calls no handler.
//   - An Emit that is refused (closed, full, context ended while waiting for
//     room) is a Failure without a listener. The default handler logs at most
//     one line of these per signal and second, with the count, and what is left of
//     a burst a second after it. A wrapper reports what it turns away with Refuse,
//     and the same happens.
//   - A foreign method that panics (Error, Unwrap, Is, As, a slog handler's) is
//     stopped: an error whose text cannot be had is named by its type.
//
// # All or nothing
//
// When [SyncSignal.TryEmit] fails, the [Undo] of every [SyncSignal.Step] that
// completed in that call runs, in reverse order, with a context that is not
// cancelled; their errors are joined to the failure, and counted as failures of
// their steps. Emit and TryEmitAll never undo, but where an [Around] fails behind a
// Step.
//
// # Context
//
//   - SyncSignal: Emit never looks at ctx. TryEmit and TryEmitAll look at it
//     before each listener and return an error that wraps ctx.Err() and says how
//     many listeners ran; nil if all ran.
//   - AsyncSignal: listeners get the values of ctx, never its cancellation or
//     deadline, so that an HTTP request which has ended loses nothing. Only
//     waiting for room looks at ctx. EmitWait passes ctx as it is.
//   - A nil context is context.Background().
//
// # Calls from inside a listener
//
//   - To emit, offer, add, remove and reset is allowed and never deadlocks.
//   - On a goroutine that is running a listener of any AsyncSignal, an emission
//     never waits for room: it is admitted above the bound and counted
//     (SignalStats.OverCapacity).
//   - Drain, Close, EmitWait and Subscription.Wait, called inside a listener of
//     the same AsyncSignal, return [ErrWouldDeadlock] at once; nothing is
//     accepted, nothing closed. A cycle of waits across signals ends with ctx.
//   - A goroutine that a listener starts is not inside it, so that a wait there for a
//     listener that waits for the goroutine ends with ctx. Nor is one that an Around
//     of a SyncSignal starts; on one that an Around of an AsyncSignal starts, next is.
//
// # Bounds
//
// A SyncSignal stores nothing. An AsyncSignal has no bound unless asked for:
//
//   - [Capacity](n, Block): an emission waits, first come first served, for
//     room, for ctx, or for Close.
//   - [Capacity](n, Reject): the whole emission is refused.
//   - [MaxLag](n, policy) drops for one listener only. n counts the emissions
//     that wait: DropOldest keeps the newest n, KeepLatest the newest one.
//   - Every drop and every refusal is counted.
//
// # Removal
//
// Removal is by Subscription.Unsubscribe, RemoveListener, Reset, Scope.Close or
// the end of an Until context.
//
//   - SyncSignal: an emission that is under way may still call the listener.
//   - AsyncSignal: when the removal returns no further call starts. What was
//     pending for the listener is dropped, counted, and finished as far as Drain,
//     EmitWait and Capacity are concerned. A call in flight completes;
//     Subscription.Wait waits for it. A call is in flight from the moment at which
//     a worker has looked for the last time whether the listener is there: after
//     its Filter and the ListenerBegin of observers.
//   - Subscription.Done is closed when the registration has ended and no call is
//     in flight: it is removed, or its AsyncSignal has been closed and has
//     delivered everything to it; on a SyncSignal at removal.
//
// # Once, Filter, Until
//
//   - [Once]: the listener is removed before its call, and there is at most one
//     call ever. Only an emission that passes its Filter counts.
//   - [Filter]: a panic in it is a failure of the listener.
//   - [Until]: the listener is not called once the context has ended.
//
// # Around
//
//   - [Around] wraps every call of every listener, inside Filter, the outermost
//     first: those of the bus, then those of the signal. What it returns is what
//     came of the call. next returns a panic of the listener as a [*PanicError].
//     Nil without a call of next is a delivery; an error without one is a failure
//     of the listener; a second call of next, or one behind its end, is an error,
//     and one on another goroutine is waited for; a Goexit there is a failure with
//     [ErrGoexit]. To an Around outside of it, an Around is as the listener.
//   - SyncSignal: an error after a Step has succeeded runs its Undo at once, by
//     whatever method was emitted and whatever an Around outside makes of the error.
//     AsyncSignal: it wraps the bodies of Events, and of batches.
//
// # Drain and Close
//
//   - [AsyncSignal.Drain] returns when everything accepted before is finished,
//     or with ctx.Err() and the number left. What its listeners emit meanwhile is
//     not waited for: Bus.Drain and Close do that.
//   - [AsyncSignal.Close] refuses from now on, then drains. It may be called
//     again, also concurrently, also after its ctx has ended. Nothing that was
//     accepted is lost; when all is finished it leaves its bus, also if Close has
//     given up by then. Registering on a closed signal succeeds and the listener
//     is never called (TrySubscribe: [ErrClosed]).
//   - [Cancellable]: the calls get a context that is cancelled on removal, and
//     when Close, Scope.Close or Bus.Close gives up waiting. Calls that begin after
//     that begin cancelled. With EmitWait it ends with that of the emitter, too.
//   - [AsyncSignal.EmitWait] returns when every listener has finished the
//     emission. A listener that was dropped adds [ErrDropped]. If ctx ends after
//     the emission was accepted it returns ctx.Err() and delivery goes on.
//   - Emit happens before its deliveries; deliveries and their failure handlers
//     happen before Drain, Close or EmitWait return.
//
// # Memory and goroutines
//
//   - SyncSignal: no goroutines, and no timers but one of SlowAfter while there
//     are emissions, and for that long behind them.
//   - AsyncSignal: it holds what is unfinished and, while busy, at most one chunk
//     (about 4 KB, at least 8 emissions, 16 KB when there is a lot to catch up
//     with) of finished payloads; none when idle, when a garbage collection frees
//     the empty chunk too. A removed closure is not kept, nor a signal by a
//     context of Until that outlives it. A stuck listener with MaxLag holds n emissions, the one it is stuck
//     in, and one chunk. A burst does not keep its peak. With Retain the last n
//     payloads stay until Close, whether or not there are listeners.
//   - AsyncSignal: no goroutine and no timer while idle, but for one of SlowAfter
//     for that long behind the last emission; at most one goroutine per
//     listener with work (n with Concurrency(n)), and one spare that has not
//     begun. Nothing is shared between signals, and nothing leaks if Close is
//     never called.
//
// # Counting
//
//   - Failures are always counted. An AsyncSignal always knows its emissions
//     and deliveries, from positions in its log.
//   - A SyncSignal counts emissions and deliveries only on a bus, with an
//     Observer or with [Counted]; the counters are striped.
//   - Durations are sampled, 1 call in 64 at places that follow no period, where
//     the signal counts.
//   - An Observer is told of each listener that is added, and after that when it
//     is removed; not of those it finds, of a Tap, nor of a Close. One that is
//     told of nothing else costs emissions nothing, and makes no signal count.
//     ObserveListeners does the same for one signal at any time, ObserveFailures
//     for its failures.
//     ListenerInfo.Stats has the figures of that registration also after removal,
//     ListenerStats.Info the ListenerInfo of one that is there; Final calls a
//     function with the last ones when a removed one counts no more: on a SyncSignal
//     after a garbage collection, while nothing leads to the registration.
//
// # Events
//
// A range over [AsyncSignal.Events] subscribes when it starts, each range anew.
// Emissions wait without bound unless MaxLag is given. An emission is finished
// when the body of the loop returns; between two calls of the next function of
// iter.Pull nobody is inside it. The range ends on break, when ctx ends, on
// removal, or after Close when it has delivered everything.
//
// # Channels
//
// [AsyncSignal.Chan] registers a listener and returns a channel without a buffer.
// Emissions wait without bound unless MaxLag is given; one is finished when its
// value has been received. The value in hand is a call in flight: MaxLag does not
// count it, and removal drops it. The channel is closed when ctx or an Until ends,
// on removal, behind the one value of Once, or after Close when everything has
// been received. While there is something to receive a goroutine waits, which is
// none of MaxWorkers. Around does not wrap it; Cancellable and Concurrency panic.
//
// # Batches
//
//   - [AsyncSignal.SubscribeBatch]: each call gets what waits, in order, at most
//     [MaxBatch] or a chunk, without a timer. The slice is valid during the call.
//     Only what passes its Filter is in it. The context has the values of that of
//     the first emission in it, and no end.
//   - A delivery is counted for each emission, a failure once, with a []T of its
//     own; EmitWait of each emission in the batch returns it. Once and Concurrency
//     panic, and MaxBatch elsewhere.
//
// # Sharded signals
//
// One registration on a [ShardedSignal] is one listener (one key, counted once)
// that may run on several shards at once. The same key goes to the same shard
// and keeps its order; round robin promises none. Capacity, MaxLag and Retain
// count per shard, MaxWorkers and Once for all shards together.
//
// # Buses and scopes
//
//   - A [Bus] finds signals by name and observes, drains and closes them
//     together. Bus.Drain returns when all its signals were empty in one pass.
//   - Bus.Close refuses emissions from outside and still accepts those that the
//     listeners of its own async signals make, drains until a pass finds nothing,
//     then closes all. ctx bounds an endless cycle, and the error names what is
//     left. Sync signals go on working.
//   - [Topic] and [SyncTopic] make the signal of a name, or find it. Options that
//     contradict those in force panic, and the text names both sites.
//   - A name that is taken panics. A closed signal leaves its bus.
//   - A [Scope] is a group of registrations that end together.
//
// # Zero values and misuse
//
// The zero value of SyncSignal, AsyncSignal, Bus and Scope is ready; Init gives
// options to a signal held by value, before its first use. None of them may be
// copied after that, and go vet says so. A signal without a name is called by
// its payload type and the site of its first registration. A nil listener, a key
// that Subscribe finds taken, and an option that makes no sense panic at
// construction or registration, never later, and the text names the signal.
package signals
