package signals

import "time"

// Bridge joins a signal to a subject of a broker, which reaches other
// processes. What shows or measures a program asks it what it does; the bridges
// of natsignals are some.
type Bridge interface {
	// BridgeStats returns at once, without asking the broker, and may be called
	// from any goroutine.
	BridgeStats() BridgeStats
}

// The directions of a bridge.
const (
	BridgePublishes = "publishes" // emissions become messages
	BridgeConsumes  = "consumes"  // messages become emissions
)

// BridgeStats says what a bridge joins, what it has done, and what waits.
// Counters start at 0 with the bridge.
type BridgeStats struct {
	Direction string // BridgePublishes or BridgeConsumes
	Signal    string // its name
	Listener  string // the key of the listener that publishes
	Subject   string // where it publishes, or what it takes of the stream; "" is all of it
	Stream    string
	Durable   string // the consumer at the broker
	// Waiting counts what is accepted and not acknowledged yet, or what is in the
	// stream and not handled yet, at the last look; InFlight what of it is in this
	// process now, and Retrying what waits at the broker after a failure.
	Waiting, InFlight, Retrying int
	Done                        uint64 // messages acknowledged by the stream; or handled, and that confirmed
	Repeats                     uint64 // attempts to publish that were made again; or messages that came again
	Failures                    uint64 // attempts that failed
	DeadLetters                 uint64 // messages given up, and kept
	// Err is what is in the way now, or why the bridge ended: "" if nothing is.
	// Since is when it began, if that is known.
	Err   string
	Since time.Time
}
