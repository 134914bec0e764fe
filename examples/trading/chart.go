package main

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"example.com/signals/examples/internal/trading"
)

// The colours tell the curves apart also for those who see red and green alike
// (Okabe and Ito).
var (
	blue   = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	orange = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	green  = color.RGBA{0x00, 0x9e, 0x73, 0xff}
)

// writePlot draws the latencies, as a curve over percentiles, above the
// throughput over time.
func writePlot(file string, m trading.Measurement) error {
	latency, err := latencies(&m)
	if err != nil {
		return err
	}
	throughput, err := throughputs(&m)
	if err != nil {
		return err
	}
	plots := [][]*plot.Plot{{latency}, {throughput}}
	if latency == nil {
		plots = plots[1:]
	}
	canvas := vgsvg.New(18*vg.Centimeter, vg.Length(len(plots))*9*vg.Centimeter)
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadX: vg.Millimeter, PadY: 6 * vg.Millimeter, PadTop: 2 * vg.Millimeter, PadBottom: 2 * vg.Millimeter, PadLeft: 2 * vg.Millimeter, PadRight: 6 * vg.Millimeter}
	for i, row := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(row[0])
	}
	return save(file, canvas)
}

// save writes all of a picture to a file, or leaves no half of one.
func save(file string, picture io.WriterTo) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = picture.WriteTo(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if info, statErr := os.Stat(file); err != nil && statErr == nil && info.Mode().IsRegular() {
		os.Remove(file)
	}
	return err
}

// latencies is nil if none were measured.
func latencies(m *trading.Measurement) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = "Latency since a message was due"
	if m.Rate > 0 {
		p.Title.Text += fmt.Sprintf(", at %.2f million a second", m.Rate/1e6)
	}
	p.X.Label.Text = "percentile"
	p.X.Min = 0
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(durations)
	p.Add(plotter.NewGrid())
	// Each nine of a percentile gets as much room as the one before it.
	nines := 0.0
	for _, l := range []struct {
		name string
		trading.Latency
		color color.Color
	}{{"tick to book", m.ToBook, blue}, {"tick to order", m.ToOrder, orange}, {"risk chain", m.Chain, green}} {
		count := float64(l.Percentiles().Count)
		if count == 0 {
			continue
		}
		var points plotter.XYs
		last := math.Log10(count)
		for x := 0.02; x <= last; x += 0.02 {
			points = append(points, plotter.XY{X: x, Y: max(float64(l.At(100*(1-math.Pow(10, -x)))), 1)})
		}
		nines = max(nines, last)
		curve, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		curve.Color, curve.Width = l.color, vg.Points(1.5)
		p.Add(curve)
		p.Legend.Add(l.name, curve)
	}
	if nines == 0 {
		return nil, nil
	}
	p.Legend.Padding, p.Legend.XOffs, p.Legend.YOffs = vg.Points(4), -2*vg.Millimeter, vg.Millimeter
	var ticks []plot.Tick
	for i := 0; float64(i) <= nines; i++ {
		label := "0"
		if i > 0 {
			label = fmt.Sprintf("%.*f", max(i-2, 0), 100*(1-math.Pow(10, -float64(i))))
		}
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: label})
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	return p, nil
}

// durations marks every power of ten.
func durations(low, high float64) (ticks []plot.Tick) {
	for v := math.Pow(10, math.Floor(math.Log10(max(low, 1)))); v <= 10*high; v *= 10 {
		ticks = append(ticks, plot.Tick{Value: v, Label: time.Duration(v).String()})
		for i := 2.0; i < 10; i++ {
			ticks = append(ticks, plot.Tick{Value: i * v})
		}
	}
	return ticks
}

func throughputs(m *trading.Measurement) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("Throughput: %d messages in %v", m.Run.Messages, m.Run.Took.Round(time.Millisecond))
	p.X.Label.Text, p.Y.Label.Text = "seconds", "thousand messages a second"
	p.Y.Min, p.X.Min = 0, 0
	p.Add(plotter.NewGrid())
	var points plotter.XYs
	for i, s := range m.Run.Samples[1:] {
		before := m.Run.Samples[i]
		if took := s.At - before.At; took > 0 {
			points = append(points, plotter.XY{X: s.At.Seconds(), Y: float64(s.Messages-before.Messages) / took.Seconds() / 1e3})
		}
	}
	if len(points) == 0 {
		return p, nil
	}
	curve, err := plotter.NewLine(points)
	if err != nil {
		return nil, err
	}
	curve.Color, curve.Width = blue, vg.Points(1.5)
	p.Add(curve)
	return p, nil
}
