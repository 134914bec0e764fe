// Package signalstest records what a signal emits, so that a test can wait for
// it and compare it.
//
//	func TestOrderIsShipped(t *testing.T) {
//		shop := NewShop()
//		shipped := signalstest.Record(t, shop.Shipped)
//
//		shop.Place(Order{ID: 7})
//
//		shipped.Wait(t.Context(), 1)
//		shipped.Ordered(Shipment{OrderID: 7})
//	}
//
// [Record] works with every [signals.Source]: SyncSignal, AsyncSignal,
// ShardedSignal, a wrapper of your own. It subscribes without a key, so any
// number of recorders can listen to one signal, and unsubscribes when the test
// ends.
//
// # Waiting and comparing
//
// [Recorder.Wait] and [Recorder.WaitFor] wait for payloads, and end the test
// with a list of what came instead when their context ends first.
// [Recorder.Ordered], [Recorder.Unordered] and [Recorder.Got] look at what has
// come so far and wait for nothing: after a SyncSignal's Emit everything has
// come; of an AsyncSignal, Wait first, or Drain the signal. [Recorder.Quiet]
// waits for silence.
//
// All of them count from the first payload that came after Record: a Wait takes
// nothing away from the next one, and the outcome does not depend on how many
// payloads happened to come together.
//
// # Messages
//
// A message names the signal, if it has a name, and shows what came beside what
// was wanted: pointers are followed, cycles and long texts cut. Payloads that
// read alike and are not equal, by the rules of reflect.DeepEqual, are shown with
// what makes them differ.
//
// # Contexts
//
// A wait ends with its context. If that has no deadline, as t.Context() has
// none (nor has nil, which is allowed), it ends after 30 seconds, so that a
// payload that never comes fails one test by name instead of the whole
// run at its timeout. Pass a context with a deadline to wait longer or
// shorter.
//
// # In a synctest bubble
//
// A recorder made inside a bubble of testing/synctest, with the bubble's own
// *testing.T, waits in the bubble's time: Quiet(time.Hour) takes no time at
// all, and a wait that nothing can satisfy any more fails at once.
package signalstest
