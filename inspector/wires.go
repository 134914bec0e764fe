package inspector

import "slices"

// wire is a signal of the wiring as a list: for small screens, and for those
// who do not see the drawing.
type wire struct {
	Node
	From []string
	To   []Node
}

func (g Graph) wires() (all []wire) {
	index := make(map[string]int)
	nodes := make(map[string]Node, len(g.Nodes))
	for _, n := range g.Nodes {
		if nodes[n.ID] = n; n.Type == NodeSignal {
			index[n.ID] = len(all)
			all = append(all, wire{Node: n})
		}
	}
	for _, e := range g.Edges {
		if k, ok := index[e.To]; ok && !slices.Contains(all[k].From, nodes[e.From].Label) {
			all[k].From = append(all[k].From, nodes[e.From].Label)
		}
		if k, ok := index[e.From]; ok {
			all[k].To = append(all[k].To, nodes[e.To])
		}
	}
	return all
}
