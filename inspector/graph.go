package inspector

import (
	"cmp"
	"fmt"
	"slices"
)

// listenersDrawn is how many rows of a signal have a node of their own.
const listenersDrawn = 12

// graph returns the wiring of the signals that a query asks for: those that are
// in trouble first, then the busiest.
func (i *Inspector) graph(q query) Graph {
	sites := i.sites.all()
	i.mu.RLock()
	defer i.mu.RUnlock()
	limit, offset := q.most(usualGraph, highGraph), q.offset
	q.offset, q.sort = 0, "name"
	picked, all := i.state.pick(q, len(i.state.signals))
	slices.SortStableFunc(picked, func(a, b *signalTrack) int {
		return cmp.Or(cmp.Compare(a.trouble(), b.trouble()), cmp.Compare(b.EmitRate, a.EmitRate))
	})
	picked = picked[min(offset, all):]
	picked = picked[:min(limit, len(picked))]
	b := graphBuilder{g: Graph{Nodes: []Node{}, Edges: []Edge{}, Omitted: all - len(picked)}, functions: map[string][]string{}}
	for _, t := range picked {
		b.signal(t)
	}
	for _, t := range picked {
		b.callSites(t, sites[t.Name])
	}
	for k, t := range i.state.bridges {
		b.bridge(t, k)
	}
	slices.SortStableFunc(b.g.Nodes, func(a, c Node) int { return cmp.Compare(nodeOrder[a.Type], nodeOrder[c.Type]) })
	return b.g
}

// trouble ranks a status; those that are no trouble are equal.
func (s Status) trouble() int { return min(s.rank(), StatusOK.rank()) }

func (s *Signal) trouble() int { return s.Status.trouble() }

var nodeOrder = map[string]int{NodeCallSite: 0, NodeSignal: 1, NodeListener: 2, NodeMore: 2, NodeBridge: 3}

type graphBuilder struct {
	g         Graph
	functions map[string][]string // nodes of listeners by function
	sites     map[string]int      // call sites: their index in g.Nodes, by id
}

func (b *graphBuilder) signal(t *signalTrack) {
	id := "signal " + t.Name
	b.g.Nodes = append(b.g.Nodes, Node{
		ID: id, Type: NodeSignal, Label: t.Name, Detail: t.Kind + " " + t.Payload, Signal: t.Name,
		Status: t.Status, Note: t.note(), Rate: t.EmitRate,
	})
	drawn := t.rows
	if len(drawn) > listenersDrawn+1 {
		drawn = slices.Clone(drawn)
		slices.SortStableFunc(drawn, func(a, c *listenerTrack) int { return cmp.Compare(a.Status.trouble(), c.Status.trouble()) })
		drawn = drawn[:listenersDrawn]
	}
	for _, l := range drawn {
		lid := fmt.Sprintf("listener %s of %s", l.ID, t.Name)
		label := l.Name()
		if l.Registrations > 1 {
			label += " ×" + count(uint64(l.Registrations))
		}
		b.g.Nodes = append(b.g.Nodes, Node{
			ID: lid, Type: NodeListener, Label: label, Detail: l.Site, Signal: t.Name,
			Status: l.Status, Note: l.note(), Rate: l.Rate,
		})
		b.g.Edges = append(b.g.Edges, Edge{From: id, To: lid, Rate: l.Rate})
		b.functions[l.Function] = append(b.functions[l.Function], lid)
	}
	if rest := len(t.rows) - len(drawn); rest > 0 {
		more := "more of " + t.Name
		b.g.Nodes = append(b.g.Nodes, Node{ID: more, Type: NodeMore, Label: plural(uint64(rest), "more listener"), Signal: t.Name, Status: StatusOK})
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
	case t.stuckLeaving():
		return "a removed listener is stuck for " + seconds(t.leaving[0].Running)
	case t.Emissions > 0 && len(t.listeners) == 0 && len(t.gone) == 0:
		return "nobody listens"
	case t.Emissions == 0:
		return "never emitted"
	case len(t.gone) > 0:
		return "listeners that are gone failed"
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
