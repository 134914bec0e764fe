package inspector

import (
	"cmp"
	"fmt"
	"slices"
)

// listenersDrawn is how many listeners of a signal have a node of their own
// when the number of signals is limited too.
const listenersDrawn = 12

// graph returns the wiring of the signals that a query asks for. With a limit
// those that are in trouble, and then the busiest, stay.
func (i *Inspector) graph(q query) Graph {
	sites := i.sites.all()
	i.mu.RLock()
	defer i.mu.RUnlock()
	limit := q.limit
	q.limit, q.offset, q.sort = 0, 0, ""
	picked, all := i.state.pick(q)
	if limit > 0 && len(picked) > limit {
		picked = mostTelling(picked, limit)
	}
	b := graphBuilder{g: Graph{Nodes: []Node{}, Edges: []Edge{}, Omitted: all - len(picked)}, functions: map[string][]string{}}
	for _, t := range picked {
		b.signal(t, limit > 0)
	}
	for _, t := range picked {
		b.callSites(t, sites[t.Name])
	}
	slices.SortStableFunc(b.g.Nodes, func(a, c Node) int { return cmp.Compare(nodeOrder[a.Type], nodeOrder[c.Type]) })
	return b.g
}

var nodeOrder = map[string]int{NodeCallSite: 0, NodeSignal: 1, NodeListener: 2, NodeMore: 2}

// mostTelling keeps n signals, in their order.
func mostTelling(all []*signalTrack, n int) []*signalTrack {
	best := slices.Clone(all)
	slices.SortStableFunc(best, func(a, b *signalTrack) int {
		return cmp.Or(cmp.Compare(min(a.Status.rank(), StatusOK.rank()), min(b.Status.rank(), StatusOK.rank())), cmp.Compare(b.EmitRate, a.EmitRate))
	})
	stay := map[*signalTrack]bool{}
	for _, t := range best[:n] {
		stay[t] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(t *signalTrack) bool { return !stay[t] })
}

type graphBuilder struct {
	g         Graph
	functions map[string][]string // nodes of listeners by function
	sites     map[string]int      // call sites: their index in g.Nodes, by id
}

func (b *graphBuilder) signal(t *signalTrack, some bool) {
	id := "signal " + t.Name
	b.g.Nodes = append(b.g.Nodes, Node{
		ID: id, Type: NodeSignal, Label: t.Name, Detail: t.Kind + " " + t.Payload, Signal: t.Name,
		Status: t.Status, Note: t.note(), Rate: t.EmitRate,
	})
	drawn := t.listeners
	if some && len(drawn) > listenersDrawn+1 {
		drawn = slices.Clone(drawn)
		slices.SortStableFunc(drawn, func(a, c *listenerTrack) int {
			return cmp.Compare(min(a.Status.rank(), StatusOK.rank()), min(c.Status.rank(), StatusOK.rank()))
		})
		drawn = drawn[:listenersDrawn]
	}
	for _, l := range drawn {
		lid := fmt.Sprintf("listener %s of %s", l.ID, t.Name)
		b.g.Nodes = append(b.g.Nodes, Node{
			ID: lid, Type: NodeListener, Label: l.Name(), Detail: l.Site, Signal: t.Name,
			Status: l.Status, Note: l.note(), Rate: l.Rate,
		})
		b.g.Edges = append(b.g.Edges, Edge{From: id, To: lid, Rate: l.Rate})
		b.functions[l.Function] = append(b.functions[l.Function], lid)
	}
	if rest := len(t.listeners) - len(drawn); rest > 0 {
		more := "more of " + t.Name
		b.g.Nodes = append(b.g.Nodes, Node{ID: more, Type: NodeMore, Label: fmt.Sprintf("%d more listeners", rest), Signal: t.Name, Status: StatusOK})
		b.g.Edges = append(b.g.Edges, Edge{From: id, To: more})
	}
}

// note says in a few words what is the matter with a listener.
func (t *listenerTrack) note() string {
	switch t.Status {
	case StatusStuck:
		return "stuck for " + seconds(t.Running)
	case StatusFailing:
		return "failing, " + plural(t.Failures, "failure")
	case StatusLagging:
		return "falls behind, lag " + count(uint64(t.Lag))
	case StatusDropping:
		return "dropping, " + plural(t.Drops, "drop")
	case StatusSilent:
		return "never called"
	}
	return ""
}

func (t *signalTrack) note() string {
	switch {
	case t.Emissions > 0 && len(t.listeners) == 0:
		return "nobody listens"
	case t.Emissions == 0:
		return "never emitted"
	case t.Status == StatusDropping && t.Refusals > 0:
		return plural(t.Refusals, "refusal")
	}
	return ""
}

// callSites adds the code that emits a signal: listeners that do so by
// themselves, if it is clear which, and call sites for the rest.
func (b *graphBuilder) callSites(t *signalTrack, sites []callSite) {
	slices.SortFunc(sites, func(a, c callSite) int {
		return cmp.Or(cmp.Compare(c.weight, a.weight), cmp.Compare(a.site, c.site), cmp.Compare(a.inside, c.inside))
	})
	var sum uint64
	for _, s := range sites {
		sum += s.weight
	}
	to := "signal " + t.Name
	edges := map[string]int{}
	for _, s := range sites {
		rate := t.EmitRate * float64(s.weight) / float64(sum)
		var from string
		if within := b.functions[s.inside]; s.inside != "" && len(within) == 1 {
			from = within[0]
		} else {
			from = b.callSite(s, rate)
		}
		if k, ok := edges[from]; ok {
			b.g.Edges[k].Rate += rate
			continue
		}
		edges[from] = len(b.g.Edges)
		b.g.Edges = append(b.g.Edges, Edge{From: from, To: to, Rate: rate})
	}
}

func (b *graphBuilder) callSite(s callSite, rate float64) string {
	id := "call site " + s.site + " " + s.function
	if k, ok := b.sites[id]; ok {
		b.g.Nodes[k].Rate += rate
		return id
	}
	if b.sites == nil {
		b.sites = map[string]int{}
	}
	b.sites[id] = len(b.g.Nodes)
	b.g.Nodes = append(b.g.Nodes, Node{ID: id, Type: NodeCallSite, Label: s.function, Detail: s.site, Status: StatusOK, Rate: rate})
	return id
}
