// Package natsignals lets a signal reach listeners in other processes, through
// a NATS JetStream that is there already: [Publish] joins a signal to a
// subject, [Consume] feeds a signal from a stream, and the listeners stay as
// they are. [Relay] publishes the events of an event store. [Ask] and [Answer]
// are request and reply.
//
//	// in the process that takes orders
//	natsignals.Publish(ctx, js, placed, "orders.placed", natsignals.Replicas(3))
//
//	// in the process that ships them
//	natsignals.Consume(ctx, js, "ORDERS", "shipping", orders)
//	orders.Subscribe(ship)
//
// Streams, replication and storage are the servers'. This package owns when a
// message counts as published, when it counts as handled, and what happens to
// one that cannot be.
//
// # Words
//
// The words of package signals hold. A bridge is what joins a signal to a
// subject: a [Publisher] or a [Consumer]. A message is an emission on its way.
// A partition is one of n subjects SUBJECT.0 to SUBJECT.n-1, over which the
// messages of a subject are spread by key. A dead letter is a message that the
// listeners could not handle, kept in a stream of its own.
//
// # What is published
//
//   - The payload is encoded with [JSON] unless [WithCodec] says otherwise.
//   - Each message has an id, in the header Nats-Msg-Id and as ce-id. It is the
//     same in every attempt to publish that emission, and so the server refuses
//     a second copy while it remembers the id: for the stream's duplicate
//     window (2 minutes unless configured; [Window] checks it at the start,
//     after each reconnect, and every [CheckEvery]). [ID] takes the id from the payload, which
//     makes it the same when another process emits the same fact; otherwise it
//     is made up.
//   - The attributes of CloudEvents 1.0 are headers, as the binary mode of its
//     NATS binding has them: ce-specversion, ce-id, ce-source, ce-type, ce-time,
//     and content-type.
//   - traceparent and tracestate travel as headers: from [WithTrace] to
//     [TraceOf], or through the functions given to [Propagate].
//
// # When a message counts as published
//
//   - When the stream has acknowledged it, never before.
//   - SyncSignal: TryEmit fails unless it is. One attempt, bounded by the
//     context and [Timeout]. After a failure the message may be stored all
//     the same: the answer can be what was lost. The error says so.
//   - AsyncSignal: an emission is finished when it is acknowledged, and so
//     Drain, Close and EmitWait wait for it. In order; a failure is tried again
//     from the first message that is not acknowledged, with growing waits, until
//     it is, or the Publisher is closed. What waits is the lag of its listener;
//     Capacity and MaxLag bound it.
//   - A signal of the core is published message by message: each has the trace of
//     its emission, is a failure of its own when it is lost, and answers the EmitWait
//     of its emission. A batch of the core has one context and one outcome for all.
//     If a signal of your own can hand over batches (SubscribeBatch) and the stream has
//     AllowAtomicPublish, a batch is published with one acknowledgement: all of it or
//     nothing, with the trace of its context. On a stream without, one message is in
//     flight: with several, a change of leader can store the later and lose the
//     earlier.
//   - ShardedSignal: the same for each shard.
//   - What no repetition can help (it does not encode, or is larger than server
//     or stream allow) is a failure of the listener, reported as any other, and
//     the next emission goes on.
//   - A retry that the stream calls a duplicate is believed only if the stream has
//     the message, which takes the permission to read it ($JS.API.STREAM.MSG.GET);
//     else it is published under a new Nats-Msg-Id. The same holds of a dead letter.
//
// # What a Relay publishes
//
//   - The events of a store that match a query, in the order of their positions,
//     one at a time, each until it is acknowledged. The id of the message is the
//     event's. After a crash, wherever it was, the Relay goes on at its checkpoint:
//     each event is published at least once, and once only within the stream's
//     duplicate window, which is checked: [Window], 2 minutes without.
//   - The payload is the event's Data. ce-type is its Type, ce-time its Time,
//     ce-subject its Stream; Signals-Event is the rest, as JSON, which [RecordedOf]
//     reads. content-type is that of the codec given, else JSON's if the data is
//     JSON. traceparent and tracestate in its Meta are the trace context.
//   - What no repetition can help is a dead letter of the store, at once; so is an
//     event whose id the stream has on another subject, where it would be lost.
//
// # What acknowledged is worth
//
// A server acknowledges before it has called fsync unless its configuration
// says sync_interval: always, and a client cannot read that. So Publish wants
// one of:
//
//   - [Replicas](n): the stream has n copies or more, on file. This is checked.
//     A power cut that takes a majority of the servers at the same time can
//     lose what was acknowledged in the last sync_interval (2 minutes unless
//     configured).
//   - [SyncAlways]: you state that the servers sync always; that the stream is on
//     file is checked. An embedded server always does (package embedded).
//   - [AcceptLoss]: you accept that acknowledged messages can be lost.
//
// What is checked is checked at the start, after each reconnect and every [CheckEvery],
// of the stream that takes the subject then. If it is right no longer, a Publisher says
// so in its Stats and the log, and goes on; a Relay publishes nothing until it is.
//
// # When a message counts as handled
//
//   - When every listener has succeeded. Then it is acknowledged, and the
//     acknowledgement confirmed by the server; without that confirmation it is
//     not handled, and comes again.
//   - Not if there was no listener, or one was removed or dropped it meanwhile.
//     Such a delivery is no attempt. While there is no listener, nothing is
//     fetched. To replace the only listener add the new one first: between the
//     two a message could reach neither, and nobody would know.
//   - At least once: after a crash, a lost acknowledgement, or a failure of one
//     listener of several, all listeners get the message again. [Idempotent]
//     and [Fold] make that harmless.
//   - While a message is in this process, waiting or being handled, the server
//     is told, and AckWait does not fire.
//   - At most [InFlight] messages are here at once.
//
// # Failures
//
//   - A failure, whatever its type, and a panic is a failed attempt. The server
//     is asked to deliver again after a wait that grows ([Backoff]); we compute
//     the wait, since the BackOff of a consumer does not apply to refused
//     messages.
//   - Messages that wait for that fill a part of the consumer's MaxAckPending of
//     their own ([Retrying]), so that the others go on being delivered. When it
//     is full, a failed message waits here, in its place among those in flight.
//     When these are taken as well nothing more is fetched until one of them is
//     done: ConsumerStats tells, in Retrying and InFlight.
//   - After [Attempts] failed attempts the message and its last error are
//     published to the subject given with [DeadLetter]; when that is
//     acknowledged it is taken off the stream's consumer. A payload that cannot
//     be decoded goes there at once. Without DeadLetter a message is retried
//     for ever.
//   - Attempts are counted here, per process; the consumer's MaxDeliver is
//     unlimited, since a server that gives up tells nobody. A message whose
//     listener ends the process is not counted and comes again; its Delivered
//     (see [MessageOf]) tells how often it came.
//
// # Order
//
//   - By default there is none: a message that is retried is overtaken.
//   - [Ordered](n): messages of the same key are handled in the order in which
//     they were stored. One is in flight per partition, over all processes; a
//     failed one is retried in place, and its partition waits. The publisher
//     spreads with [Partitioned] and the same n.
//   - A process that was stopped, or cut off from the server, for longer than [AckWait]
//     does not know that another has its message: it goes on with that one, also when
//     later ones are done elsewhere. [Fold] leaves it out then.
//
// # Who gets a message
//
//   - Consumers with the same durable name share the messages of the stream, in
//     one process or many.
//   - [Broadcast]: each Consume gets all, beginning now. Its position ends with
//     it.
//   - A new durable begins with the first message in the stream, or where
//     [From], [FromSequence] or [FromNow] say. One that exists goes on where it
//     was.
//
// # What is never silent
//
//   - A consumer or stream that was deleted, or deleted and made again, ends
//     the Consumer: Done is closed, Err says what happened, and it is logged.
//     It is not made again by itself: its position is lost, and whether to
//     begin at the start is yours to say.
//   - A consumer behind the end of its stream, which has lost its end in a power
//     cut or is an older copy, ends the Consumer too, and Consume refuses it: a
//     server can leave out what is stored until the stream is as long again. One
//     whose position went back goes on, and it is logged: what came after that
//     position comes again. [Fold] and ids that are made of the place in the stream
//     tell a sequence that is given out a second time.
//   - A consumer or stream that exists and is configured otherwise than asked
//     is an error that names the field and both values. Nothing is changed. A consumer
//     that somebody changes so under way ends the Consumer with that error, but for
//     max_ack_pending without Ordered; one that is paused is told in its Stats
//     and the log.
//   - Unreachable, without JetStream, permission denied, too large, no such stream
//     in this account: each is an error that says what to do. A server that is away,
//     and one that denies, do not answer: that is known when [Timeout] is over, and
//     of a Consumer that may not fetch after twice the heartbeat of 2 seconds, in
//     its Stats and the log.
//   - While the server is away nothing is lost and nothing blocks for ever:
//     publishing waits and wakes, and Close returns when its context ends. A
//     connection that was closed, by you or since the server ended it for an error
//     (a payload over a limit that was lowered), does not come back: a Consumer
//     ends, a Publisher and a Relay log it and wait for their Close or Stop.
//
// # Close
//
//   - Publisher.Close takes its listener off the signal when all that was
//     accepted is acknowledged. If its context ends before, what is left is
//     dropped and counted by the signal, and the error says how many.
//   - Consumer.Close fetches no more, finishes what is being handled, and gives
//     back what has not begun.
//   - Inside a listener of its async signal each returns signals.ErrWouldDeadlock at
//     once, and nothing is closed.
//   - Both may be called again, and from several goroutines. The connection is the
//     caller's and stays open.
package natsignals
