package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// chart draws the times end to end: a line for each peer, the first on top, and
// a point for each number of subscribers.
func (r report) chart() ([]byte, error) {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.Title.Text = "From the first event published until the last is handled"
	p.X.Label.Text = "nanoseconds per event, on a logarithmic scale; less is better"
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = plain{}
	p.Title.Padding, p.X.Padding, p.Y.Padding = vg.Points(10), vg.Points(6), vg.Points(6)
	for _, style := range []*vg.Length{&p.Title.TextStyle.Font.Size, &p.X.Label.TextStyle.Font.Size} {
		*style = vg.Points(12)
	}
	p.Legend.Top, p.Legend.Padding = true, vg.Points(4)

	names := make([]string, len(r.Results))
	for i, one := range r.Results {
		names[len(names)-1-i] = one.Peer.Name
	}
	p.NominalY(names...)
	p.Y.Tick.Label.Font.Size, p.X.Tick.Label.Font.Size = vg.Points(11), vg.Points(10)
	grid := plotter.NewGrid()
	pale := draw.LineStyle{Color: color.Gray{225}, Width: vg.Points(0.6)}
	grid.Horizontal, grid.Vertical = pale, pale
	p.Add(grid)

	for _, s := range []struct {
		scenario, label string
		shape           draw.GlyphDrawer
		color           color.RGBA
	}{
		{endToEnd1, "1 subscriber", draw.CircleGlyph{}, color.RGBA{0x00, 0x72, 0xb2, 0xff}},
		{endToEnd10, "10", draw.BoxGlyph{}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}},
		{endToEnd100, "100", draw.PyramidGlyph{}, color.RGBA{0xb0, 0x3a, 0x6e, 0xff}},
	} {
		var points plotter.XYs
		for i, one := range r.Results {
			points = append(points, plotter.XY{X: one.Times[s.scenario].NS, Y: float64(len(r.Results) - 1 - i)})
		}
		scatter, err := plotter.NewScatter(points)
		if err != nil {
			return nil, fmt.Errorf("chart: %w", err)
		}
		scatter.Shape, scatter.Color, scatter.Radius = s.shape, s.color, vg.Points(4.5)
		p.Add(scatter)
		p.Legend.Add(s.label, scatter)
	}
	// Room for the legend above the uppermost line, and whole powers of ten.
	p.Y.Min, p.Y.Max = -0.5, float64(len(names))+1
	p.X.Min = math.Pow10(int(math.Floor(math.Log10(p.X.Min))))
	p.X.Max = math.Pow10(int(math.Ceil(math.Log10(p.X.Max))))

	c := vgsvg.New(vg.Points(760), vg.Points(float64(130+26*len(names))))
	p.Draw(draw.Crop(draw.New(c), vg.Points(12), vg.Points(-24), vg.Points(10), vg.Points(-10)))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("chart: %w", err)
	}
	// For those who have not the font that it was drawn with.
	const family = "font-family:Liberation Sans"
	return bytes.ReplaceAll(b.Bytes(), []byte(family), []byte(family+",Arial,sans-serif")), nil
}

// plain labels powers of ten as people write them.
type plain struct{}

func (plain) Ticks(low, high float64) []plot.Tick {
	ticks := plot.LogTicks{}.Ticks(low, high)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label = digits(t.Value)
		}
	}
	return ticks
}
