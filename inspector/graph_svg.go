package inspector

import (
	"fmt"
	"html"
	"net/url"
	"strings"
	"unicode/utf8"
)

const loop = 44.0 // how far an edge from a box to itself goes out

// svg draws a graph. The attributes make it complete by itself, in light
// colours; on the page the style sheet overrides them by class.
func (g Graph) svg() string {
	d := layout(g)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="graph" role="img" aria-label="Wiring: %s, %s" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="system-ui, sans-serif" font-size="13">`+"\n",
		plural(uint64(len(g.Nodes)), "node"), plural(uint64(len(g.Edges)), "edge"), d.width, d.height, d.width, d.height)
	most := g.most()
	for _, r := range d.routes {
		drawEdge(&b, &d, g, r, most)
	}
	for _, p := range d.places {
		drawBox(&b, g, p)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func drawEdge(b *strings.Builder, d *drawing, g Graph, r route, most float64) {
	e := g.Edges[r.edge]
	left, right := r.ends()
	var path strings.Builder
	x, y := left.p.x+left.p.width/2, left.p.y+left.at
	fmt.Fprintf(&path, "M%.1f,%.1f", x, y)
	var tipX, tipY, turn float64 // of the arrow
	switch {
	case r.self:
		tipX, tipY, turn = x, r.to.p.y+r.to.at, -1
		fmt.Fprintf(&path, " C%.1f,%.1f %.1f,%.1f %.1f,%.1f", x+loop, y, x+loop, tipY, x+6, tipY)
	default:
		if tipX, tipY, turn = x, y, -1; r.back {
			path.Reset()
			x += 6
			fmt.Fprintf(&path, "M%.1f,%.1f", x, y)
		}
		for _, p := range r.via[1:] {
			in, at := p.x-p.width/2, p.y
			if p == right.p {
				if at += right.at; !r.back {
					tipX, tipY, turn = in, at, 1
					in -= 6
				}
			}
			fmt.Fprintf(&path, " C%.1f,%.1f %.1f,%.1f %.1f,%.1f", x+columnGap/2, y, in-columnGap/2, at, in, at)
			if x, y = in, at; p != right.p {
				x = p.x + p.width/2
				fmt.Fprintf(&path, " L%.1f,%.1f", x, y)
			}
		}
	}
	kind, dash := "edge", ""
	if e.Rate <= 0 {
		kind, dash = "edge quiet", ` stroke-dasharray="3 4"`
	}
	title := g.Nodes[d.index[e.From]].Label + " → " + g.Nodes[d.index[e.To]].Label
	if l := e.label(); l != "" {
		title += ", " + l
	}
	fmt.Fprintf(b, `<g class="%s"><title>%s</title><path d="%s" fill="none" stroke="#98a2b3" stroke-width="%.1f" stroke-opacity="0.7"%s/>`,
		kind, text(title), path.String(), e.weight(most), dash)
	fmt.Fprintf(b, `<path class="tip" d="M%.1f,%.1f l%.1f,-4 v8 z" fill="#98a2b3"/></g>`+"\n", tipX, tipY, -7*turn)
}

// The colours of a drawing that stands alone.
const (
	inkColour, mutedColour, lineColour = "#1d2433", "#667085", "#98a2b3"
	badColour, warnColour              = "#b42318", "#a15c07"
)

// colour is that of a class.
func colour(class, other string) string {
	switch class {
	case "bad":
		return badColour
	case "warn":
		return warnColour
	}
	return other
}

// drawBox draws a signal with its listeners, or code that emits. What is the
// matter is said by a sign, a text and a colour.
func drawBox(b *strings.Builder, g Graph, p *place) {
	n := g.Nodes[p.node]
	x, y := p.x-p.width/2, p.y-p.height/2
	class := ""
	if len(p.rows) == 0 || n.Note != "" {
		class = classOf(n)
	}
	stroke, fill, width, round := lineColour, "#ffffff", 1.0, 8
	switch n.Type {
	case NodeSignal:
		stroke, width = "#3b5bdb", 1.5
	case NodeCallSite:
		fill, round = "#f9fafb", 3
	case NodeBridge:
		stroke, fill, round = "#0b7285", "#e6fcf5", 24
	}
	fmt.Fprintf(b, `<g class="node %s %s" transform="translate(%.1f,%.1f)">`+"\n", n.Type, class, x, y)
	fmt.Fprintf(b, `<rect class="shape" x="0.5" y="0.5" width="%.1f" height="%.1f" rx="%d" fill="%s" stroke="%s" stroke-width="%.1f"/>`+"\n",
		p.width-1, p.height-1, round, fill, colour(class, stroke), width)
	if n.Type == NodeSignal && len(p.rows) > 0 {
		fmt.Fprintf(b, `<path class="rule" d="M0.5,%g h%.1f" stroke="#d0d5dd"/>`+"\n", headHeight, p.width-1)
	}
	drawText(b, n, class, 14, 0, p.width, "600")
	for k, row := range p.rows {
		m := g.Nodes[row]
		class, top := classOf(m), headHeight+rowHeight*float64(k)
		fmt.Fprintf(b, `<g class="node %s %s">`, m.Type, class)
		if class != "" {
			fmt.Fprintf(b, `<rect class="mark" x="0.5" y="%.1f" width="4" height="%.1f" fill="%s"/>`, top+3, rowHeight-4, colour(class, ""))
		}
		drawText(b, m, class, 18, top-4, p.width, "400")
		b.WriteString("</g>\n")
	}
	b.WriteString("</g>\n")
}

func drawText(b *strings.Builder, n Node, class string, left, top, width float64, weight string) {
	if n.Signal != "" {
		fmt.Fprintf(b, `<a href="signal?signal=%s">`, text(url.QueryEscape(n.Signal)))
	}
	fmt.Fprintf(b, `<title>%s</title>`, text(strings.Join(n.lines(), "\n")))
	rate, second := n.rate(), n.second()
	room := width - left - 14
	label := short(n.Label, int((room-smallLetter*float64(utf8.RuneCountInString(rate)+1))/labelLetter))
	fmt.Fprintf(b, `<text class="label" x="%g" y="%g" font-weight="%s" fill="%s">%s</text>`, left, top+20, weight, inkColour, text(label))
	if rate != "" {
		fmt.Fprintf(b, `<text class="rate" x="%.1f" y="%g" text-anchor="end" font-size="11" fill="%s">%s</text>`, width-14, top+20, mutedColour, text(rate))
	}
	fmt.Fprintf(b, `<text class="detail" x="%g" y="%g" font-size="11" fill="%s">%s</text>`, left, top+36, colour(class, mutedColour), text(short(second, int(room/smallLetter))))
	if n.Signal != "" {
		b.WriteString(`</a>`)
	}
}

// classOf is class, but a signal has that of its own trouble alone: its rows
// show theirs.
func classOf(n Node) string {
	if n.Type == NodeSignal && n.Note == "" {
		return ""
	}
	return class(n.Status)
}

func (n Node) rate() string {
	if n.Rate <= 0 {
		return ""
	}
	return brief(n.Rate) + "/s"
}

// second is the second line: what is the matter, or where it is.
func (n Node) second() string {
	switch m := sign(n.Status); {
	case n.Note == "":
		return n.Detail
	case m != "":
		return m + " " + n.Note
	default:
		return n.Note
	}
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

// short shortens a text to n runes, in the middle: where a name begins and ends
// says most.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	if n < 3 {
		return string(r[:max(n, 0)])
	}
	begin := (n + 1) / 2
	return string(r[:begin]) + "…" + string(r[len(r)-(n-begin-1):])
}
