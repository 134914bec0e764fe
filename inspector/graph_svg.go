package inspector

import (
	"fmt"
	"html"
	"net/url"
	"strings"
	"unicode/utf8"
)

// svg draws a graph. The attributes make it complete by itself, in light
// colours; on the page the style sheet overrides them by class.
func (g Graph) svg() string {
	d := layout(g)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="graph" role="img" aria-label="Wiring: %d nodes, %d edges" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="system-ui, sans-serif" font-size="13">`+"\n",
		len(g.Nodes), len(g.Edges), d.width, d.height, d.width, d.height)
	most := g.most()
	for _, r := range d.routes {
		drawEdge(&b, g, g.Edges[r.edge], r, most)
	}
	for i, n := range g.Nodes {
		drawNode(&b, n, d.places[i].x-nodeWidth/2, d.places[i].y-nodeHeight/2)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func drawEdge(b *strings.Builder, g Graph, e Edge, r route, most float64) {
	from, to := r.via[0], r.via[len(r.via)-1]
	var path strings.Builder
	switch {
	case from == to: // a listener cannot be a signal, so this is never drawn, but a graph may be anything
		fmt.Fprintf(&path, "M%.1f,%.1f c40,-40 40,40 0,1", from.x+nodeWidth/2, from.y)
	case r.back:
		x, y := from.x+nodeWidth/2, from.y
		fmt.Fprintf(&path, "M%.1f,%.1f c46,0 46,-34 0,-34 L%.1f,%.1f", x, y, to.x-nodeWidth/2, to.y-34)
		fmt.Fprintf(&path, " c-46,0 -46,34 0,34")
	default:
		x, y := from.x+nodeWidth/2, from.y
		fmt.Fprintf(&path, "M%.1f,%.1f", x, y)
		for _, p := range r.via[1:] {
			in := p.x - nodeWidth/2
			fmt.Fprintf(&path, " C%.1f,%.1f %.1f,%.1f %.1f,%.1f", x+columnGap/2, y, in-columnGap/2, p.y, in, p.y)
			if x, y = in, p.y; p != to {
				x = p.x + nodeWidth/2
				fmt.Fprintf(&path, " L%.1f,%.1f", x, y)
			}
		}
	}
	kind, dash := "edge", ""
	if e.Rate <= 0 {
		kind, dash = "edge quiet", ` stroke-dasharray="3 4"`
	}
	title := g.Nodes[from.node].Label + " → " + g.Nodes[to.node].Label
	if l := e.label(); l != "" {
		title += ", " + l
	}
	fmt.Fprintf(b, `<path class="%s" d="%s" fill="none" stroke="#98a2b3" stroke-width="%.1f" stroke-opacity="0.7"%s><title>%s</title></path>`+"\n",
		kind, path.String(), e.weight(most), dash, text(title))
}

// outlines of nodes, by what they are and how they do. The first verb is for
// the attributes of the shape, the second for those of an inner line.
var (
	rect    = `<rect x="0.5" y="0.5" width="183" height="47" rx="7"%s/>`
	pill    = `<rect x="0.5" y="0.5" width="183" height="47" rx="23.5"%s/>`
	paper   = `<path d="M0.5,0.5 h171 l12,12 v35 h-183 z m171,0 v12 h12"%s/>`
	octagon = `<path d="M13,0.5 h158 l12.5,13 v21 l-12.5,13 h-158 l-12.5,-13 v-21 z"%s/>` +
		`<path d="M15,4 h154 l11,11.5 v17 l-11,11.5 h-154 l-11,-11.5 v-17 z"%s/>`
	notched = `<path d="M0.5,0.5 h183 v47 h-13 l-6.5,-6 l-6.5,6 l-6.5,-6 l-6.5,6 h-144 z"%s/>`
)

func drawNode(b *strings.Builder, n Node, x, y float64) {
	stroke, fill, width, dash, outline := "#98a2b3", "#ffffff", 1.0, "", rect
	switch n.Type {
	case NodeSignal:
		outline, stroke, fill, width = pill, "#3b5bdb", "#eef2ff", 1.5
	case NodeCallSite:
		outline, fill = paper, "#f9fafb"
	case NodeMore:
		dash = ` stroke-dasharray="2 3"`
	}
	bad := class(n.Status)
	if n.Type == NodeSignal && n.Status != StatusUnheard && n.Status != StatusDropping {
		bad = "" // its listeners show it
	}
	switch {
	case bad == "bad" && n.Status == StatusStuck:
		outline, stroke, width = octagon, "#b42318", 1.5
	case bad == "bad":
		outline, stroke, width = notched, "#b42318", 1.5
	case bad == "warn":
		stroke, width, dash = "#b54708", 1.5, ` stroke-dasharray="5 3"`
	}
	fmt.Fprintf(b, `<g class="node %s %s" transform="translate(%.1f,%.1f)">`, n.Type, bad, x, y)
	if n.Signal != "" {
		fmt.Fprintf(b, `<a href="signal?signal=%s">`, text(url.QueryEscape(n.Signal)))
	}
	fmt.Fprintf(b, `<title>%s</title>`, text(strings.Join(n.lines(), "\n")))
	shape := fmt.Sprintf(` class="shape" fill="%s" stroke="%s" stroke-width="%.1f"%s`, fill, stroke, width, dash)
	inner := fmt.Sprintf(` class="shape inner" fill="none" stroke="%s"`, stroke)
	fmt.Fprintf(b, outline, []any{shape, inner}[:strings.Count(outline, "%s")]...)
	label, second, rate := n.Label, n.Detail, ""
	if n.Note != "" {
		second = n.Note
	}
	if n.Rate > 0 {
		rate = brief(n.Rate) + "/s"
	}
	left := 14
	if n.Type == NodeSignal {
		left = 20
	}
	width = nodeWidth - 2*float64(left) // for text, whose letters are about so wide: 7.9, 6.2 where small
	room := int((width - 6.2*float64(utf8.RuneCountInString(rate))) / 7.9)
	if rate != "" {
		room--
	}
	fmt.Fprintf(b, `<text class="label" x="%d" y="20" font-weight="600" fill="#1d2433">%s</text>`, left, text(short(label, room)))
	if rate != "" {
		fmt.Fprintf(b, `<text class="rate" x="%d" y="20" text-anchor="end" font-size="11" fill="#667085">%s</text>`, int(nodeWidth)-left, text(rate))
	}
	if m := sign(n.Status); m != "" && n.Note != "" && (bad != "" || n.Status == StatusUnheard) {
		second = m + " " + second
	}
	fmt.Fprintf(b, `<text class="detail" x="%d" y="37" font-size="11" fill="%s">%s</text>`,
		left, map[string]string{"bad": "#b42318", "warn": "#b54708", "": "#667085"}[bad], text(short(second, int(width/6.2))))
	if n.Signal != "" {
		b.WriteString(`</a>`)
	}
	b.WriteString("</g>\n")
}

// text escapes a text, and what XML cannot hold at all.
func text(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}

// sign is a sign for a status, beside its colour.
func sign(s Status) string {
	return map[Status]string{StatusStuck: "■", StatusFailing: "▲", StatusLagging: "◆", StatusDropping: "▼", StatusUnheard: "○"}[s]
}

// short shortens a text to n runes; of code the end says more.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	if strings.ContainsAny(s, "/.:") && !strings.Contains(s, " ") {
		return "…" + string(r[len(r)-n+1:])
	}
	return string(r[:n-1]) + "…"
}
