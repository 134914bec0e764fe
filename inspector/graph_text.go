package inspector

import (
	"fmt"
	"math"
	"strings"
)

// dot writes a graph in the language of Graphviz.
func (g Graph) dot() string {
	var b strings.Builder
	b.WriteString("digraph signals {\n\trankdir=LR\n\tnode [fontname=\"sans-serif\", fontsize=11]\n\tedge [fontname=\"sans-serif\", fontsize=9]\n")
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(s) + `"`
	}
	ids := make(map[string]int)
	for i, n := range g.Nodes {
		ids[n.ID] = i
		shape := map[string]string{NodeCallSite: "note", NodeSignal: "ellipse", NodeListener: "box", NodeMore: "plain", NodeBridge: "cds"}[n.Type]
		extra := ""
		switch n.Status {
		case StatusStuck:
			shape, extra = "doubleoctagon", ", color=red, penwidth=2"
		case StatusFailing:
			shape, extra = "house", ", color=red"
		case StatusLagging, StatusDropping, StatusUnheard:
			extra = ", color=orange, style=dashed"
		}
		if n.Type == NodeSignal && n.Status != StatusUnheard {
			shape, extra = "ellipse", ", penwidth=2"
		}
		label := strings.Join(n.lines(), "\n")
		fmt.Fprintf(&b, "\tn%d [label=%s, shape=%s%s]\n", i, strings.ReplaceAll(quote(strings.ReplaceAll(label, "\n", "\x00")), "\x00", `\n`), shape, extra)
	}
	most := g.most()
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "\tn%d -> n%d [penwidth=%.1f, label=%s]\n", ids[e.From], ids[e.To], e.weight(most), quote(e.label()))
	}
	b.WriteString("}\n")
	return b.String()
}

// mermaid writes a graph as a Mermaid flowchart.
func (g Graph) mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	quote := func(s string) string {
		return `"` + strings.NewReplacer("#", "#35;", "&", "#amp;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "`", "#96;", "\n", "<br/>").Replace(s) + `"`
	}
	ids := make(map[string]int)
	for i, n := range g.Nodes {
		ids[n.ID] = i
		begin, end := "[", "]"
		switch {
		case n.Type == NodeSignal:
			begin, end = "([", "])"
		case n.Status == StatusStuck:
			begin, end = "{{", "}}"
		case n.Status == StatusFailing:
			begin, end = "[/", "\\]"
		case n.Type == NodeCallSite:
			begin, end = ">", "]"
		case n.Type == NodeBridge:
			begin, end = "[[", "]]"
		}
		fmt.Fprintf(&b, "  n%d%s%s%s\n", i, begin, quote(strings.Join(n.lines(), "\n")), end)
		if c := class(n.Status); c != "" {
			fmt.Fprintf(&b, "  class n%d %s\n", i, c)
		}
	}
	most := g.most()
	for _, e := range g.Edges {
		arrow := "-->"
		if e.Rate > 0 && e.weight(most) > 3 {
			arrow = "==>"
		}
		text := ""
		if l := e.label(); l != "" {
			text = "|" + quote(l) + "|"
		}
		fmt.Fprintf(&b, "  n%d %s%s n%d\n", ids[e.From], arrow, text, ids[e.To])
	}
	b.WriteString("  classDef bad stroke:#b42318,stroke-width:3px\n  classDef warn stroke:#b54708,stroke-dasharray:4 3\n")
	return b.String()
}

// class is how a status is drawn: bad, warn or not at all.
func class(s Status) string {
	switch s {
	case StatusStuck, StatusFailing:
		return "bad"
	case StatusLagging, StatusDropping, StatusUnheard:
		return "warn"
	}
	return ""
}

// lines are the text of a node.
func (n Node) lines() []string {
	lines := []string{n.Label}
	if n.Detail != "" {
		lines = append(lines, n.Detail)
	}
	if n.Note != "" {
		lines = append(lines, n.Note)
	}
	return lines
}

// most is the highest rate of an edge.
func (g Graph) most() float64 {
	m := 0.0
	for _, e := range g.Edges {
		m = max(m, e.Rate)
	}
	return m
}

// weight is how thick an edge is drawn: 1 to 5.
func (e Edge) weight(most float64) float64 {
	if e.Rate <= 0 || most <= 0 {
		return 1
	}
	return 1 + 4*math.Log1p(e.Rate)/math.Log1p(most)
}

func (e Edge) label() string {
	if e.Rate <= 0 {
		return ""
	}
	return brief(e.Rate) + "/s"
}
