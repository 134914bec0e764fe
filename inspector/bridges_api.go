package inspector

import "time"

// BridgeList is what bridges.json says.
type BridgeList struct {
	Time    time.Time    `json:"time"`
	Bridges []BridgeInfo `json:"bridges"`
}

// BridgeInfo is a bridge that AddBridge was given. The counters are those of
// signals.BridgeStats.
type BridgeInfo struct {
	Name        string    `json:"name"`               // the subject, or the durable consumer
	Direction   string    `json:"direction"`          // signals.BridgePublishes or signals.BridgeConsumes
	Signal      string    `json:"signal"`             //
	Listener    string    `json:"listener,omitempty"` // the key of the one that publishes
	Subject     string    `json:"subject,omitempty"`
	Stream      string    `json:"stream,omitempty"`
	Durable     string    `json:"durable,omitempty"`
	Status      Status    `json:"status"`
	Rate        float64   `json:"rate"`    // messages done a second
	Waiting     int       `json:"waiting"` // those in flight and those retrying included
	InFlight    int       `json:"in_flight"`
	Retrying    int       `json:"retrying"`
	Done        uint64    `json:"done"`
	Repeats     uint64    `json:"repeats"` // publishing attempts made again, or redeliveries
	Failures    uint64    `json:"failures"`
	DeadLetters uint64    `json:"dead_letters"`
	Err         string    `json:"error,omitempty"`
	Since       time.Time `json:"since,omitzero"` // of the error
	History     *History  `json:"history,omitempty"`
}

// FindingBridge is the kind of what is the matter with a bridge.
const FindingBridge = "bridge"

// NodeBridge is the type of a bridge in the wiring.
const NodeBridge = "bridge"

// bridgeList is what bridges.json says.
func (i *Inspector) bridgeList(history bool) BridgeList {
	i.mu.RLock()
	defer i.mu.RUnlock()
	out := BridgeList{Time: i.state.at, Bridges: make([]BridgeInfo, 0, len(i.state.bridges))}
	for _, t := range i.state.bridges {
		b := t.BridgeInfo
		if history {
			b.History = t.history()
		}
		out.Bridges = append(out.Bridges, b)
	}
	return out
}
