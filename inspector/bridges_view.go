package inspector

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"

	"example.com/signals"
)

// bridgeView is what the page shows of a bridge.
type bridgeView struct {
	BridgeInfo
	Spark template.HTML
	Drawn bool // the signal has a page
}

// Publishes is for the template.
func (b bridgeView) Publishes() bool { return b.Direction == signals.BridgePublishes }

// Figures is for the template.
func (b bridgeView) Figures() string {
	if b.Publishes() {
		return fmt.Sprintf("%s acknowledged, %s, %s repeated", count(b.Done), waits(b.Waiting), plural(b.Repeats, "attempt"))
	}
	return fmt.Sprintf("%s handled, %s (%s here, %s to be tried again), %s, %s, %s", count(b.Done), waits(b.Waiting),
		count(uint64(b.InFlight)), count(uint64(b.Retrying)), plural(b.Repeats, "redelivery", "redeliveries"),
		plural(b.Failures, "failed attempt"), plural(b.DeadLetters, "dead letter"))
}

// waits says how many messages wait.
func waits(n int) string { return plural(uint64(max(n, 0)), "message waits", "messages wait") }

// bridgesTab adds the tab of the bridges, if there are any.
func (d *pageData) bridgesTab(s *state) {
	if len(s.bridges) == 0 {
		return
	}
	t := tab{View: "bridges", Link: "bridges", Name: "Bridges", Here: d.View == "bridges"}
	worst, wrong := StatusOK, uint64(0)
	for _, b := range s.bridges {
		if b.Status.trouble() < StatusOK.rank() {
			wrong++
			if b.Status.rank() < worst.rank() {
				worst = b.Status
			}
		}
	}
	if wrong > 0 {
		t.Badge, t.Class = count(wrong), class(worst)
	}
	d.Tabs = append(d.Tabs, t)
}

// bridgesView fills in the page of the bridges.
func (d *pageData) bridgesView(s *state) {
	d.Findings = nil
	for _, t := range s.bridges {
		d.Findings = append(d.Findings, t.diagnose(s.at)...)
		d.Bridges = append(d.Bridges, bridgeView{BridgeInfo: t.BridgeInfo, Spark: spark(t.rates, nil, t.seen), Drawn: s.byName[t.Signal] != nil})
	}
}

// bridge draws a bridge beside the signal that it joins, if that is drawn: from
// the listener that publishes to the subject, or from the subject to the signal.
func (b *graphBuilder) bridge(t *bridgeTrack, number int) {
	id := fmt.Sprintf("bridge %d", number)
	signal := "signal " + t.Signal
	if !slices.ContainsFunc(b.g.Nodes, func(n Node) bool { return n.ID == signal }) {
		return
	}
	label, detail := t.Subject, "published to "+t.Stream
	if t.Direction != signals.BridgePublishes {
		label, detail = cmp.Or(t.Subject, t.Stream), fmt.Sprintf("%s of %s", t.Durable, t.Stream)
	}
	b.g.Nodes = append(b.g.Nodes, Node{ID: id, Type: NodeBridge, Label: label, Detail: detail, Status: t.Status, Note: t.note(), Rate: t.Rate})
	if t.Direction != signals.BridgePublishes {
		b.g.Edges = append(b.g.Edges, Edge{From: id, To: signal, Rate: t.Rate})
		return
	}
	from := signal
	for _, n := range b.g.Nodes {
		if n.Type == NodeListener && n.Signal == t.Signal && n.Label == t.Listener {
			from = n.ID
		}
	}
	b.g.Edges = append(b.g.Edges, Edge{From: from, To: id, Rate: t.Rate})
}
