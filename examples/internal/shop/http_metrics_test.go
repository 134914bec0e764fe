package shop

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/signals/promsignals"
)

func TestMetricsAreThoseOfPromsignals(t *testing.T) {
	s := opened(t, nil)
	api := NewAPI(s)
	defer api.insp.Close()
	for _, id := range []string{"1", "2", "2"} { // the last one is refused
		_, _ = s.Place(t.Context(), order(id))
	}
	if err := s.Signals.Bus.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}

	reg := prometheus.NewRegistry()
	reg.MustRegister(promsignals.NewBusCollector(s.Signals.Bus))
	theirs := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(theirs, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", http.NoBody))
	known := map[string]bool{}
	for line := range strings.Lines(theirs.Body.String()) {
		known[line] = true
	}
	ours := local(t, api, "/metrics")
	lines := 0
	for line := range strings.Lines(ours.Body.String()) {
		lines++
		if !known[line] {
			t.Errorf("not in promsignals: %s", line)
		}
	}
	if lines < 100 || !strings.Contains(ours.Body.String(), "signals_listener_failures_total{listener=\"record\",signal=\"order.placed\"} 1\n") {
		t.Errorf("%d lines:\n%s", lines, ours.Body)
	}
	if kind := ours.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Errorf("Content-Type %s", kind)
	}
}
