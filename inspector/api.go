package inspector

import "time"

// Snapshot is what snapshot.json and events say.
type Snapshot struct {
	Time     time.Time `json:"time"`
	Interval float64   `json:"interval_seconds"` // what the rates are over; 0: there are none yet
	Totals   Totals    `json:"totals"`           // of all signals
	Matching int       `json:"matching"`         // signals that were asked for, before limit and offset
	Signals  []Signal  `json:"signals"`

	// Stores are those of the option Stores, without their dead letters.
	Stores []StoreInfo `json:"stores,omitempty"`
}

// Totals are sums over all signals of the bus.
type Totals struct {
	Signals     int     `json:"signals"`
	Listeners   int     `json:"listeners"`
	Emissions   uint64  `json:"emissions"`
	Deliveries  uint64  `json:"deliveries"`
	Failures    uint64  `json:"failures"`
	Panics      uint64  `json:"panics"`
	Vetoes      uint64  `json:"vetoes"`
	Drops       uint64  `json:"drops"`
	Refusals    uint64  `json:"refusals"`
	Pending     int     `json:"pending"`
	Workers     int     `json:"workers"`
	Leaving     int     `json:"leaving"`      // removed listeners with a call that still runs
	EmitRate    float64 `json:"emit_rate"`    // emissions a second
	DeliverRate float64 `json:"deliver_rate"` // deliveries a second
	FailRate    float64 `json:"fail_rate"`    // failures a second
	Errors      int     `json:"errors"`       // findings of the diagnosis, by severity
	Warnings    int     `json:"warnings"`
}

// Signal is one signal of the bus. Counts are since it was made.
type Signal struct {
	Name         string     `json:"name"`
	Kind         string     `json:"kind"`    // sync, async, sharded
	Payload      string     `json:"payload"` // payload type
	Site         string     `json:"site"`    // file:line that made it
	Status       Status     `json:"status"`  // the worst of its own and its listeners'
	Emissions    uint64     `json:"emissions"`
	Deliveries   uint64     `json:"deliveries"`
	Failures     uint64     `json:"failures"` // panics among them
	Panics       uint64     `json:"panics"`
	Vetoes       uint64     `json:"vetoes"` // expected noes, which are no failures
	Drops        uint64     `json:"drops"`
	Refusals     uint64     `json:"refusals"`
	Gone         uint64     `json:"failures_of_gone"` // failures of listeners that are removed, or had Once
	OverCapacity uint64     `json:"over_capacity"`
	Pending      int        `json:"pending"`
	Workers      int        `json:"workers"`
	Closed       bool       `json:"closed"`
	EmitRate     float64    `json:"emit_rate"` // a second, as are the other rates
	DeliverRate  float64    `json:"deliver_rate"`
	FailRate     float64    `json:"fail_rate"`
	DropRate     float64    `json:"drop_rate"`
	P99          float64    `json:"p99_seconds"` // of its slowest listener
	History      *History   `json:"history,omitempty"`
	Listeners    []Listener `json:"listeners"`           // rows, in calling order
	Leaving      []Listener `json:"leaving,omitempty"`   // removed, but a call of them still runs; the longest first
	More         int        `json:"more_rows,omitempty"` // that the answer leaves out

	listening int // registrations
}

// Listener is one listener of a signal; or several that are the same function,
// registered at the same place, which are one row: those without a key, and
// those with keys if there are more than 12 of them. Counts are then sums, of
// those that have gone too, and durations are of all together.
type Listener struct {
	ID            string   `json:"id"`       // unique within the signal
	Key           string   `json:"key"`      // or ""
	Function      string   `json:"function"` // such as shop.(*Stock).reserve
	Site          string   `json:"site"`     // file:line of the registration
	Priority      int      `json:"priority"`
	Registrations int      `json:"registrations"` // that the row stands for
	Status        Status   `json:"status"`
	Deliveries    uint64   `json:"deliveries"`
	Failures      uint64   `json:"failures"`
	Panics        uint64   `json:"panics"`
	Vetoes        uint64   `json:"vetoes"`
	Drops         uint64   `json:"drops"`
	Lag           int      `json:"lag"`
	InFlight      int      `json:"in_flight"`       // of a sync signal: those known to be stuck
	Running       float64  `json:"running_seconds"` // how long the oldest call under way has run, as far as is known
	Rate          float64  `json:"rate"`            // deliveries a second
	FailRate      float64  `json:"fail_rate"`
	DropRate      float64  `json:"drop_rate"`
	P50           float64  `json:"p50_seconds"` // of sampled calls, an upper bound; 0: none sampled
	P99           float64  `json:"p99_seconds"`
	Max           float64  `json:"max_seconds"`
	Sampled       uint64   `json:"sampled"` // calls that the durations are of
	History       *History `json:"history,omitempty"`
}

// Name returns the key, or the function of a listener without one.
func (l *Listener) Name() string {
	if l.Key != "" {
		return l.Key
	}
	return l.Function
}

// History is the recent past, oldest first, a point a snapshot: about one a
// second while somebody looks.
type History struct {
	Rates    []float64 `json:"rates"`     // emissions of a signal, deliveries of a listener, a second
	Failures []float64 `json:"fail_rate"` // a second
	Waiting  []int     `json:"waiting"`   // pending of a signal, lag of a listener
}

// Status is how a signal or listener is doing.
type Status string

// The statuses, the worst first.
const (
	StatusStuck    Status = "stuck"    // a call has run longer than StuckAfter
	StatusFailing  Status = "failing"  // failed in the last minute, as did a listener that is gone
	StatusLagging  Status = "lagging"  // lag that grows, or takes more than 10 seconds to work off
	StatusDropping Status = "dropping" // dropped or refused in the last minute
	StatusUnheard  Status = "unheard"  // emitted with nobody listening
	StatusLeaving  Status = "leaving"  // removed, but a call still runs; of listeners alone
	StatusOK       Status = "ok"
	StatusSilent   Status = "silent" // never emitted, never called
)

// Diagnosis is what diagnosis.json says.
type Diagnosis struct {
	Time     time.Time `json:"time"`
	Window   float64   `json:"window_seconds"` // what is older is not wrong any more
	Healthy  bool      `json:"healthy"`        // no error and no warning
	Findings []Finding `json:"findings"`
	Vetoes   uint64    `json:"vetoes"`            // of all signals, since they were made: no findings
	Omitted  int       `json:"omitted,omitempty"` // the least bad ones, beyond 500
}

// Severity is how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityInfo    Severity = "info"
)

// The kinds of finding.
const (
	FindingStuck    = "stuck"    // a call does not come back; of a removed listener too
	FindingFailing  = "failing"  // failures, of the signal too: of listeners that are gone
	FindingLag      = "lag"      // lag that grows, or takes long to work off
	FindingDrops    = "drops"    // a listener with MaxLag missed emissions
	FindingRefusals = "refusals" // emissions were not accepted
	FindingLeaving  = "leaving"  // a removed listener still runs; a note, until it is stuck
	FindingOver     = "over"     // emissions accepted above Capacity
	FindingUnheard  = "unheard"  // emitted with nobody listening
	FindingSilent   = "silent"   // a listener that was never called

	FindingStopped     = "stopped"      // a durable listener ended at a failure
	FindingHeld        = "held_up"      // a durable listener tries the same event again
	FindingCatching    = "catching_up"  // a durable listener has much to do, and does it
	FindingDeadLetters = "dead_letters" // events that a durable listener gave up
	FindingStore       = "store"        // a store does not answer
)

// Finding is one thing that the diagnosis found.
type Finding struct {
	Kind     string   `json:"kind"`
	Severity Severity `json:"severity"`
	Signal   string   `json:"signal"`                    // "" if it is not certain
	Store    string   `json:"store,omitempty"`           // the store that it is about
	Listener string   `json:"listener,omitempty"`        // its ID
	Name     string   `json:"name,omitempty"`            // its key or function
	Function string   `json:"function,omitempty"`        //
	Site     string   `json:"site,omitempty"`            // of the listener, or of the signal
	Text     string   `json:"text"`                      // one sentence for people
	Advice   string   `json:"advice,omitempty"`          // what to do about it
	Status   Status   `json:"status"`                    // the state that it is about, for its colour
	Running  float64  `json:"running_seconds,omitempty"` // of a stuck call
	Count    uint64   `json:"count,omitempty"`           // failures, lag, drops, refusals, emissions
	Stacks   []string `json:"stacks,omitempty"`          // of a stuck listener, on request

	// Candidates are the listeners one of which is stuck, at most 16, if the
	// stack does not tell which. Listener, Name and Site are then empty, and
	// Signal too unless it is the same for all.
	Candidates []Candidate `json:"candidates,omitempty"`
}

// Candidate is a listener that a finding may be about.
type Candidate struct {
	Signal   string `json:"signal"`
	Listener string `json:"listener"` // its ID
	Name     string `json:"name"`     // its key or function
	Site     string `json:"site"`
}

// FailureLog is what failures.json says.
type FailureLog struct {
	Total    uint64         `json:"total"` // since the inspector was made
	Failures []Failure      `json:"failures"`
	Groups   []FailureGroup `json:"groups"`
}

// FailureGroup is all failures of one listener with the same message, numbers
// in it aside; of the refusals of a signal the same. What it says beyond the
// counts is of the last one that was kept.
type FailureGroup struct {
	Failure
	Count uint64    `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// Failure is one failure of a listener, or one refused Emit.
type Failure struct {
	Time     time.Time `json:"time"`
	Signal   string    `json:"signal"`
	Key      string    `json:"key,omitempty"`
	Function string    `json:"function,omitempty"` // "" for a refused emission
	Site     string    `json:"site,omitempty"`
	Error    string    `json:"error"`
	Panic    bool      `json:"panic,omitempty"`
	Stack    string    `json:"stack,omitempty"`   // of a panic
	Payload  string    `json:"payload,omitempty"` // with Payloads, for who may see it

	Number uint64 `json:"number"` // counts failures, from 1; those that were not kept too
}

// Tail is what payloads.json says: the last payloads of a signal, newest first.
type Tail struct {
	Signal   string    `json:"signal"`
	Payloads []Payload `json:"payloads"`
}

// Payload is one emission.
type Payload struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"` // cut off where it is long
}

// Stacks is what stacks.json says: the goroutines that are inside a listener.
type Stacks struct {
	Signal   string   `json:"signal"`
	Listener string   `json:"listener"`
	Stacks   []string `json:"stacks"`
	// Shared says that other listeners have the same function, so that some
	// of the goroutines may be theirs.
	Shared bool `json:"shared,omitempty"`
}

// Graph is what graph.json says: who emits what, and who listens.
type Graph struct {
	Nodes   []Node `json:"nodes"`
	Edges   []Edge `json:"edges"`
	Omitted int    `json:"omitted,omitempty"` // signals left out by limit
}

// The types of node.
const (
	NodeCallSite = "call_site" // code that was seen to emit
	NodeSignal   = "signal"
	NodeListener = "listener"
	NodeMore     = "more" // stands for the listeners of a signal that have no node
)

// Node is a call site, a signal or a listener.
type Node struct {
	ID     string  `json:"id"`
	Type   string  `json:"type"`
	Label  string  `json:"label"`
	Detail string  `json:"detail,omitempty"` // file:line, or the kind of signal
	Signal string  `json:"signal,omitempty"` // the signal, of it and of its listeners
	Status Status  `json:"status"`
	Note   string  `json:"note,omitempty"` // what is the matter: "stuck for 12s"
	Rate   float64 `json:"rate"`           // emissions or deliveries a second
}

// Edge is a path of emissions: from a call site, or a listener that emits, to
// a signal, and from a signal to a listener.
type Edge struct {
	From string  `json:"from"`
	To   string  `json:"to"`
	Rate float64 `json:"rate"` // a second; of emitting code an estimate
}
