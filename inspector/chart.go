package inspector

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"example.com/signals"
)

// Sparklines and charts are drawn here, from numbers only. They stretch to
// whatever room the page gives them; their style is in the style sheet.

// spark draws the recent past of a rate, and where there were failures: among
// the last seen points, since of the others it is not known when.
func spark(rates, fails []float32, seen int) template.HTML {
	const w, h = 96.0, 22.0
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="spark" viewBox="0 0 %g %g" preserveAspectRatio="none" aria-hidden="true">`, w, h)
	if len(rates) > 1 {
		line := polyline(rates, 0, w, 1.5, h-1.5)
		first := w * (1 - float64(len(rates)-1)/(points-1))
		fmt.Fprintf(&b, `<path class="area" d="M%.1f,%g L%s L%g,%g z"/><path class="line" d="M%s"/>`, first, h, line, w, h, line)
		for i, f := range fails {
			if f > 0 && len(fails)-i <= seen {
				x := w * (1 - float64(len(fails)-1-i)/(points-1))
				fmt.Fprintf(&b, `<path class="fail" d="M%.1f,%g v-4"/>`, x, h)
			}
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// polyline returns the points of a line, the newest at the right.
func polyline[N float32 | int32](values []N, top, width, high, low float64) string {
	for _, v := range values {
		top = max(top, float64(v))
	}
	b := make([]byte, 0, 12*len(values))
	for i, v := range values {
		y := low
		if top > 0 {
			y -= (low - high) * float64(v) / top
		}
		b = strconv.AppendFloat(b, width*(1-float64(len(values)-1-i)/(points-1)), 'f', 1, 64)
		b = strconv.AppendFloat(append(b, ','), y, 'f', 1, 64)
		b = append(b, ' ')
	}
	return strings.TrimSpace(string(b))
}

// chart is a sparkline with room: a grid, and what its top stands for.
type chart struct {
	Title string
	Now   string
	Top   string
	SVG   template.HTML
	Class string
}

func newChart[N float32 | int32](title, class string, values []N, unit string) chart {
	const w, h = 400.0, 120.0
	c := chart{Title: title, Class: class, Now: "0" + unit}
	top := 0.0
	for _, v := range values {
		top = max(top, float64(v))
	}
	top = nice(top)
	c.Top = brief(top) + unit
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %g %g" preserveAspectRatio="none" role="img" aria-label="%s">`, w, h, template.HTMLEscapeString(title))
	for _, y := range []float64{0, h / 2, h} {
		fmt.Fprintf(&b, `<path class="grid" d="M0,%g H%g"/>`, y, w)
	}
	if len(values) > 0 {
		c.Now = brief(float64(values[len(values)-1])) + unit
	}
	if len(values) > 1 {
		line := polyline(values, top, w, 0, h)
		first := w * (1 - float64(len(values)-1)/(points-1))
		fmt.Fprintf(&b, `<path class="area" d="M%.1f,%g L%s L%g,%g z"/><path class="line" d="M%s"/>`, first, h, line, w, h, line)
	}
	b.WriteString(`</svg>`)
	c.SVG = template.HTML(b.String())
	return c
}

// nice rounds up to 1, 2 or 5 times a power of ten.
func nice(v float64) float64 {
	if v <= 1 {
		return 1
	}
	p := 1.0
	for ; p*10 < v; p *= 10 {
	}
	for _, m := range []float64{1, 2, 5, 10} {
		if m*p >= v {
			return m * p
		}
	}
	return v
}

// histogram draws how long calls took, a bar for each bucket in use.
func histogram(d signals.Durations) template.HTML {
	first, last, most := -1, 0, uint64(0)
	for i, n := range d.Buckets {
		if n > 0 {
			if first < 0 {
				first = i
			}
			last, most = i, max(most, n)
		}
	}
	if first < 0 {
		return ""
	}
	first, last = max(0, first-1), min(last+1, len(d.Buckets)-1)
	const bar, h = 10, 26.0
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="histogram" viewBox="0 0 %d %g" width="%d" height="%g" role="img" aria-label="durations">`, (last-first+1)*bar, h, (last-first+1)*bar, h)
	for i := first; i <= last; i++ {
		height := 1.0
		class := "none"
		if n := d.Buckets[i]; n > 0 {
			height, class = max(3, h*float64(n)/float64(most)), "bar"
		}
		bound := "longer"
		if i < signals.DurationBuckets-1 {
			bound = "up to " + seconds(signals.BucketBound(i).Seconds())
		}
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%.1f" width="%d" height="%.1f"><title>%s: %s</title></rect>`,
			class, (i-first)*bar, h-height, bar-2, height, bound, plural(d.Buckets[i], "call"))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}
