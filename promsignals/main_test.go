package promsignals_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"example.com/signals"
)

var (
	ctx     = context.Background()
	errDown = errors.New("down")
	quiet   = signals.Logger(slog.New(slog.DiscardHandler))
)

func succeeds(context.Context, int) error { return nil }

func fails(context.Context, int) error { return errDown }

func panics(context.Context, int) error { panic("boom") }

// gather collects in a registry that checks what collectors describe.
func gather(t testing.TB, collectors ...prometheus.Collector) []*dto.MetricFamily {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	for _, c := range collectors {
		if err := reg.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value returns the value of a metric (of a histogram the count); labels are
// names and values in turn. It is NaN if there is none.
func value(families []*dto.MetricFamily, name string, labels ...string) float64 {
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if !has(m, labels) {
				continue
			}
			switch {
			case m.GetCounter() != nil:
				return m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				return m.GetGauge().GetValue()
			}
			return float64(m.GetHistogram().GetSampleCount())
		}
	}
	return math.NaN()
}

func has(m *dto.Metric, labels []string) bool {
	found := 0
	for _, l := range m.GetLabel() {
		for i := 0; i < len(labels); i += 2 {
			if l.GetName() == labels[i] && l.GetValue() == labels[i+1] {
				found++
			}
		}
	}
	return found == len(labels)/2
}

// values returns the values of one label of a metric.
func values(families []*dto.MetricFamily, name, label string) (all []string) {
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label {
					all = append(all, l.GetValue())
				}
			}
		}
	}
	return all
}

func want(t *testing.T, families []*dto.MetricFamily, value_ float64, name string, labels ...string) {
	t.Helper()
	got := value(families, name, labels...)
	if got != value_ && !(math.IsNaN(got) && math.IsNaN(value_)) {
		t.Errorf("%s%v is %v, want %v", name, labels, got, value_)
	}
}

// caught calls fn and returns what it panics with.
func caught(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}
