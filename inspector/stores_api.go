package inspector

import "time"

// StoreList is what stores.json says.
type StoreList struct {
	Time   time.Time   `json:"time"`
	Stores []StoreInfo `json:"stores"`
}

// StoreInfo is an event store that the option Stores named.
type StoreInfo struct {
	Name      string            `json:"name"`
	Status    Status            `json:"status"` // the worst of its listeners'
	Head      uint64            `json:"head"`   // position of the last event
	Rate      float64           `json:"rate"`   // events appended a second, by whomever
	Dead      int               `json:"dead_letters"`
	Error     string            `json:"error,omitempty"` // why the figures are not fresh
	Age       float64           `json:"age_seconds"`     // of the figures
	Listeners []DurableListener `json:"listeners"`       // by key
	History   *History          `json:"history,omitempty"`
}

// The states of a durable listener.
const (
	DurableWorking   = "working"   // in this process
	DurableStandby   = "standby"   // in this process, while another one works
	DurableElsewhere = "elsewhere" // not in this process: in another one, or in none
	DurableStopped   = "stopped"   // it ended at a failure
)

// DurableListener is a key of a store, whether or not it has a listener in this
// process. What says so is known only of one that has.
type DurableListener struct {
	Key        string    `json:"key"`
	State      string    `json:"state"`
	Status     Status    `json:"status"`
	Position   uint64    `json:"position"` // everything up to there is finished
	Lag        uint64    `json:"lag"`      // events of the store behind that, whether they match or not
	Rate       float64   `json:"rate"`     // positions a second
	Still      float64   `json:"still_seconds"`
	Deliveries uint64    `json:"deliveries"` // in this process
	Failures   uint64    `json:"failures"`   // in this process
	Failing    uint64    `json:"failing"`    // position of the event that it tries again, or 0; in this process
	Attempts   int       `json:"attempts"`   // failed calls with that event; in this process
	Error      string    `json:"error,omitempty"`
	Updated    time.Time `json:"updated"` // of the checkpoint
	Dead       int       `json:"dead_letters"`
	History    *History  `json:"history,omitempty"`

	// Letters are the first dead letters, at most 10; stores.json has them,
	// snapshot.json has not.
	Letters []DeadLetter `json:"letters,omitempty"`
}

// DeadLetter is an event that a durable listener gave up. Its data is not shown.
type DeadLetter struct {
	Position  uint64    `json:"position"`
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Error     string    `json:"error"`
	Attempts  int       `json:"attempts"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Requested bool      `json:"requested"` // it will be tried again
}
