package inspector

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/signals"
)

// shop is the wiring of a small shop, with one of everything.
var shop = Graph{
	Nodes: []Node{
		{ID: "c1", Type: NodeCallSite, Label: "shop.(*Checkout).place", Detail: "shop/checkout.go:59", Status: StatusOK, Rate: 50},
		{ID: "c2", Type: NodeCallSite, Label: "main.main.func1", Detail: "shop/main.go:12", Status: StatusOK},
		{ID: "s1", Type: NodeSignal, Label: "order.placed", Detail: "sync shop.Order", Signal: "order.placed", Status: StatusFailing, Rate: 50},
		{ID: "s2", Type: NodeSignal, Label: "order.accepted", Detail: "async shop.Order", Signal: "order.accepted", Status: StatusStuck, Rate: 48},
		{ID: "s3", Type: NodeSignal, Label: `cancelled "late" & <b>`, Detail: "async int", Signal: `cancelled "late" & <b>`, Status: StatusUnheard, Note: "nobody listens", Rate: 0.4},
		{ID: "s4", Type: NodeSignal, Label: "refund", Detail: "async int", Signal: "refund", Status: StatusSilent, Note: "never emitted"},
		{ID: "l1", Type: NodeListener, Label: "validate", Detail: "shop/wire.go:70", Signal: "order.placed", Status: StatusOK, Rate: 50},
		{ID: "l2", Type: NodeListener, Label: "payment", Detail: "shop/wire.go:71", Signal: "order.placed", Status: StatusFailing, Note: "failing, 12 failures", Rate: 50},
		{ID: "l3", Type: NodeListener, Label: "shop.(*Warehouse).shipAllOfIt", Detail: "shop/wire.go:72", Signal: "order.accepted", Status: StatusStuck, Note: "stuck for 2m 3s"},
		{ID: "l4", Type: NodeListener, Label: "fraud", Detail: "shop/wire.go:73", Signal: "order.accepted", Status: StatusDropping, Note: "dropping, 7 drops", Rate: 20},
		{ID: "l5", Type: NodeListener, Label: "treasury", Detail: "shop/wire.go:74", Signal: "refund", Status: StatusSilent, Note: "never called"},
		{ID: "m1", Type: NodeMore, Label: "7 more listeners", Signal: "order.accepted", Status: StatusOK},
	},
	Edges: []Edge{
		{From: "s1", To: "l1", Rate: 50}, {From: "s1", To: "l2", Rate: 50},
		{From: "s2", To: "l3"}, {From: "s2", To: "l4", Rate: 20}, {From: "s2", To: "m1"}, {From: "s4", To: "l5"},
		{From: "c1", To: "s1", Rate: 50}, {From: "c2", To: "s1"}, {From: "c1", To: "s2", Rate: 48},
		{From: "l4", To: "s3", Rate: 0.4}, {From: "l2", To: "s1", Rate: 0.1}, // the last one is a cycle
	},
}

func TestTheWiringIsDrawnAsBefore(t *testing.T) {
	golden(t, "wiring.svg", shop.svg())
	golden(t, "wiring.dot", shop.dot())
	golden(t, "wiring.mmd", shop.mermaid())
}

func TestTroubleIsDrawnByMoreThanColour(t *testing.T) {
	for _, status := range []Status{StatusStuck, StatusFailing, StatusLagging, StatusDropping} {
		g := Graph{
			Nodes: []Node{{ID: "s", Type: NodeSignal, Label: "s", Status: status}, {ID: "l", Type: NodeListener, Label: "l", Status: status, Note: "a note"}},
			Edges: []Edge{{From: "s", To: "l"}},
		}
		svg := g.svg()
		if strings.Count(svg, sign(status)+" a note") != 1 || strings.Count(svg, `class="mark"`) != 1 {
			t.Errorf("%s: neither sign nor mark in\n%s", status, svg)
		}
	}
}

func TestTheLayoutOfAnyGraphHasNoOverlapsAndGoesForward(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var g Graph
		for k := range 1 + r.IntN(40) {
			g.Nodes = append(g.Nodes, Node{ID: fmt.Sprint(k), Type: []string{NodeCallSite, NodeSignal, NodeListener}[r.IntN(3)]})
		}
		for range r.IntN(80) {
			g.Edges = append(g.Edges, Edge{From: fmt.Sprint(r.IntN(len(g.Nodes))), To: fmt.Sprint(r.IntN(len(g.Nodes)))})
		}
		d := layout(g)
		shown := 0
		for _, column := range d.columns {
			sorted := slices.Clone(column)
			slices.SortFunc(sorted, func(a, b *place) int { return int(a.y) - int(b.y) })
			for k := 1; k < len(sorted); k++ {
				if a, b := sorted[k-1], sorted[k]; b.y-a.y < (a.height+b.height)/2+rowGap-0.01 {
					t.Fatalf("seed %d: places at %v and %v overlap", seed, a.y, b.y)
				}
			}
		}
		for _, p := range d.places {
			shown += 1 + len(p.rows)
			if p.y-p.height/2 < margin-0.01 || p.y+p.height/2 > d.height-margin+0.01 || p.x-p.width/2 < margin-0.01 || p.x+p.width/2 > d.width-margin+0.01 {
				t.Fatalf("seed %d: a box is outside: %v,%v of %v,%v", seed, p.x, p.y, d.width, d.height)
			}
		}
		if shown != len(g.Nodes) {
			t.Fatalf("seed %d: %d of %d nodes are shown", seed, shown, len(g.Nodes))
		}
		for _, route := range d.routes {
			if left, right := route.ends(); !route.self && left.p.column >= right.p.column {
				t.Fatalf("seed %d: an edge goes from column %d to %d, back: %v", seed, left.p.column, right.p.column, route.back)
			}
		}
		_ = g.svg()
	}
}

func TestSignalsThatFollowEachOtherAreDrawnWithoutCrossings(t *testing.T) {
	var g Graph
	for k := range 6 { // listed so that crossings are to be undone
		g.Nodes = append(g.Nodes, Node{ID: fmt.Sprint("c", k), Type: NodeCallSite}, Node{ID: fmt.Sprint("s", k), Type: NodeSignal})
		g.Edges = append(g.Edges, Edge{From: fmt.Sprint("c", k), To: fmt.Sprint("s", 5-k)})
	}
	d := layout(g)
	if n := d.crossings(); n != 0 {
		t.Errorf("%d crossings; want none", n)
	}
	for _, r := range d.routes {
		if from, to := r.from.p, r.to.p; from.y != to.y {
			t.Errorf("edge %d goes from %v to %v; want it level", r.edge, from.y, to.y)
		}
	}
}

// bruteCrossings is what crossings must count, by looking at every pair.
func bruteCrossings(d drawing) (n int) {
	for _, c := range d.columns {
		for i, a := range c {
			for _, b := range c[i+1:] {
				n += crossing(a.out, b.out)
			}
			for k, p := range a.out {
				for _, q := range a.out[k+1:] {
					if (p.at < q.at && spot(p.to, p.there) > spot(q.to, q.there)) || (q.at < p.at && spot(q.to, q.there) > spot(p.to, p.there)) {
						n++
					}
				}
			}
		}
	}
	return n
}

func TestTheOrderHasNoMoreCrossingsThanItBeganWith(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		var g Graph
		for k := range 12 {
			g.Nodes = append(g.Nodes, Node{ID: fmt.Sprint("c", k), Type: NodeCallSite}, Node{ID: fmt.Sprint("s", k), Type: NodeSignal})
		}
		for range 20 {
			g.Edges = append(g.Edges, Edge{From: fmt.Sprint("c", r.IntN(12)), To: fmt.Sprint("s", r.IntN(12))})
		}
		d := layout(g)
		after := d.crossings()
		if want := bruteCrossings(d); after != want {
			t.Fatalf("seed %d: %d crossings are counted; there are %d", seed, after, want)
		}
		for _, c := range d.columns { // as it was listed
			slices.SortFunc(c, func(a, b *place) int { return a.node - b.node })
			renumber(c)
		}
		if before := d.crossings(); after > before {
			t.Errorf("seed %d: %d crossings; unsorted there are %d", seed, after, before)
		}
	}
}

func TestNamesAreCutInTheMiddle(t *testing.T) {
	if got := short("shop.(*Warehouse).reserveEverything", 20); got != "shop.(*War…verything" {
		t.Error(got)
	}
	if got := short("short", 20); got != "short" {
		t.Error(got)
	}
}

// emitHere and its like are found by their names.
func emitHere(s *signals.SyncSignal[int]) { s.Emit(context.Background(), 1) }

type relay struct{ to *signals.SyncSignal[int] }

func (r relay) forward(ctx context.Context, v int) error {
	r.to.Emit(ctx, v)
	return nil
}

func TestTheGraphShowsWhoEmitsAndWhoListens(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	first := signals.NewSync[int](signals.Name("first"), signals.OnBus(bus))
	second := signals.NewSync[int](signals.Name("second"), signals.OnBus(bus))
	third := signals.Topic[int](bus, "third")
	first.Subscribe(relay{second}.forward, signals.Key("relay"))
	second.AddListener(func(ctx context.Context, v int) { third.Emit(ctx, v) }, "handover")
	third.AddListener(func(context.Context, int) {}, "end")
	emitHere(first)
	if err := third.EmitWait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if err := bus.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := getJSON[Graph](t, i, "graph.json")
	labels := map[string]string{}
	for _, n := range g.Nodes {
		labels[n.ID] = n.Label
	}
	var got []string
	for _, e := range g.Edges {
		got = append(got, labels[e.From]+" > "+labels[e.To])
	}
	slices.Sort(got)
	want := []string{
		"first > relay",
		"handover > third",
		"inspector.TestTheGraphShowsWhoEmitsAndWhoListens > third",
		"inspector.emitHere > first",
		"relay > second",
		"second > handover",
		"third > end",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	site := g.Nodes[slices.IndexFunc(g.Nodes, func(n Node) bool { return n.Label == "inspector.emitHere" })].Detail
	if !strings.HasPrefix(site, "inspector/graph_test.go:") {
		t.Errorf("the call site is %q", site)
	}
}

func TestFewSignalsAndListenersAreDrawnOfMany(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	for k := range 30 {
		s := signals.NewSync[int](signals.Name(fmt.Sprintf("s%02d", k)), signals.OnBus(bus))
		for n := range 12 {
			s.AddListener(func(context.Context, int) {}, fmt.Sprint(n))
		}
		for n := range 8 {
			s.AddListener(func(context.Context, int) {}, fmt.Sprint(20+n))
		}
		if k == 17 {
			s.AddListener(func(context.Context, int) { panic("oh") }, "bad")
		}
		if k == 17 || k == 23 {
			s.Emit(t.Context(), 1)
		}
	}
	i.fresh()
	g := getJSON[Graph](t, i, "graph.json?limit=2")
	var names, more []string
	bad := false
	for _, n := range g.Nodes {
		switch n.Type {
		case NodeSignal:
			names = append(names, n.Label)
		case NodeMore:
			more = append(more, n.Label)
		}
		bad = bad || n.Label == "bad"
	}
	if !slices.Equal(names, []string{"s17", "s23"}) || !slices.Equal(more, []string{"9 more listeners", "8 more listeners"}) || !bad || g.Omitted != 28 {
		t.Errorf("signals %q, %q, the failing one: %v, %d left out", names, more, bad, g.Omitted)
	}
	if all := getJSON[Graph](t, i, "graph.json?limit=0"); all.Omitted != 0 {
		t.Errorf("%d signals are left out without a limit", all.Omitted)
	}
	if next := getJSON[Graph](t, i, "graph.json?limit=10&offset=25"); next.Omitted != 25 {
		t.Errorf("the last page leaves out %d; want 25", next.Omitted)
	}
}

func TestMermaidShowsANumberSignAsItIs(t *testing.T) {
	g := Graph{Nodes: []Node{{ID: "a", Type: NodeSignal, Label: "a#35;b \"c\""}}}
	if got := g.mermaid(); !strings.Contains(got, `"a#35;35;b #quot;c#quot;"`) {
		t.Errorf("got %s", got)
	}
}
