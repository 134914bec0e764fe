package inspector

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/signals"
)

// fakeBridge says what it is told.
type fakeBridge struct {
	says atomic.Pointer[signals.BridgeStats]
}

func (b *fakeBridge) BridgeStats() signals.BridgeStats { return *b.says.Load() }

func newBridge(s signals.BridgeStats) *fakeBridge {
	b := &fakeBridge{}
	b.says.Store(&s)
	return b
}

func outgoing() signals.BridgeStats {
	return signals.BridgeStats{Direction: signals.BridgePublishes, Signal: "order.placed", Listener: "nats orders.placed", Subject: "orders.placed", Stream: "ORDERS", Done: 10}
}

func incoming() signals.BridgeStats {
	return signals.BridgeStats{Direction: signals.BridgeConsumes, Signal: "order.shipped", Subject: "orders.shipped", Stream: "ORDERS", Durable: "mail", Done: 5}
}

// bridged is an inspector of a bus with a signal that is published, one that is
// fed, and the bridges.
func bridged(t *testing.T) (i *Inspector, out, in *fakeBridge) {
	t.Helper()
	bus := quietBus()
	placed := signals.Topic[int](bus, "order.placed")
	placed.Subscribe(func(context.Context, int) error { return nil }, signals.Key("nats orders.placed"))
	signals.Topic[int](bus, "order.shipped").Subscribe(func(context.Context, int) error { return nil }, signals.Key("mail"))
	out, in = newBridge(outgoing()), newBridge(incoming())
	i = open(t, bus)
	i.AddBridge(out)
	i.AddBridge(in)
	return i, out, in
}

func TestTheWiringShowsBridgesWithTheirSubjects(t *testing.T) {
	i, _, _ := bridged(t)
	i.look(true)
	g := i.graph(query{})
	ids := make(map[string]Node)
	for _, n := range g.Nodes {
		ids[n.ID] = n
	}
	var got []string
	for _, e := range g.Edges {
		if ids[e.From].Type == NodeBridge || ids[e.To].Type == NodeBridge {
			got = append(got, ids[e.From].Label+" -> "+ids[e.To].Label)
		}
	}
	if want := "nats orders.placed -> orders.placed, orders.shipped -> order.shipped"; strings.Join(got, ", ") != want {
		t.Errorf("the wiring has %q, want %q", got, want)
	}
	for _, file := range []string{"graph.svg", "graph.dot", "graph.mmd", "graph.json", "graph"} {
		if body := do(i, request(file)).Body.String(); !strings.Contains(body, "orders.placed") || !strings.Contains(body, "mail of ORDERS") {
			t.Errorf("%s does not show both bridges:\n%s", file, cut(body, 2000))
		}
	}
}

func TestWhatWaitsInABridgeIsShown(t *testing.T) {
	i, out, in := bridged(t)
	s := outgoing()
	s.Waiting, s.Repeats, s.Err, s.Since = 1234, 7, "natsignals: unreachable", time.Now().Add(-time.Minute)
	out.says.Store(&s)
	c := incoming()
	c.Waiting, c.InFlight, c.Retrying, c.Repeats, c.DeadLetters = 30, 2, 3, 4, 1
	in.says.Store(&c)

	i.look(true)
	var list BridgeList
	if err := json.Unmarshal(do(i, request("bridges.json")).Body.Bytes(), &list); err != nil || len(list.Bridges) != 2 {
		t.Fatalf("bridges.json: %v, %+v", err, list)
	}
	if b := list.Bridges[0]; b.Waiting != 1234 || b.Status != StatusFailing || b.Err != s.Err || b.Name != "orders.placed" {
		t.Errorf("the one that publishes is %+v", b)
	}
	if b := list.Bridges[1]; b.Waiting != 30 || b.Retrying != 3 || b.DeadLetters != 1 || b.Status != StatusDropping || b.Name != "mail" {
		t.Errorf("the one that consumes is %+v", b)
	}
	page := do(i, request("bridges"))
	for _, want := range []string{"natsignals: unreachable", "1,234 messages wait", "30 messages wait (2 here, 3 to be tried again), 4 redeliveries", "1 dead letter", `href="bridges"`} {
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("%d: the page does not say %q:\n%s", page.Code, want, page.Body)
		}
	}
	d := do(i, request("diagnosis.json")).Body.String()
	for _, want := range []string{"1,234 messages wait: natsignals: unreachable", "has made 1 dead letter"} {
		if !strings.Contains(d, want) {
			t.Errorf("the diagnosis does not say %q:\n%s", want, d)
		}
	}
}

func TestAFailureOfABridgeIsRecentForAWhile(t *testing.T) {
	i, _, in := bridged(t)
	at := time.Now()
	i.now = func() time.Time { return at }
	status := func() Status {
		i.look(true)
		return i.bridgeList(false).Bridges[1].Status
	}
	if got := status(); got != StatusOK {
		t.Errorf("at first it is %s", got)
	}
	s := incoming()
	s.Failures = 3
	in.says.Store(&s)
	at = at.Add(time.Second)
	if got := status(); got != StatusFailing {
		t.Errorf("after failures it is %s", got)
	}
	at = at.Add(2 * recent)
	if got := status(); got != StatusOK {
		t.Errorf("long after them it is %s", got)
	}
}

// panicking has no answer.
type panicking struct{}

func (panicking) BridgeStats() signals.BridgeStats { panic("not now") }

func TestABridgeThatPanicsIsOneThatFails(t *testing.T) {
	i := open(t, quietBus())
	remove := i.AddBridge(panicking{})
	i.look(true)
	if b := i.bridgeList(true).Bridges; len(b) != 1 || b[0].Status != StatusFailing || !strings.Contains(b[0].Err, "not now") {
		t.Errorf("got %+v", b)
	}
	remove()
	i.look(true)
	if b := i.bridgeList(true).Bridges; len(b) != 0 {
		t.Errorf("removed, it is still shown: %+v", b)
	}
	if w := do(i, request("bridges")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "No bridge was given") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
