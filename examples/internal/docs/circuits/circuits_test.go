package circuits

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/signals/resilience"
)

func TestAScrapeShowsTheCircuits(t *testing.T) {
	gateway := resilience.NewCircuit(resilience.CircuitName("gateway"), resilience.FailureThreshold(1))
	ledger := resilience.NewCircuit(resilience.CircuitName("ledger"))
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(Collector{gateway, ledger})
	call := resilience.Breaker(func(context.Context, int) error { return errors.New("down") }, gateway)
	for range 3 {
		_ = call(t.Context(), 1)
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", http.NoBody))
	for _, want := range []string{
		`circuit_state{circuit="gateway",state="open"} 1`,
		`circuit_state{circuit="gateway",state="closed"} 0`,
		`circuit_state{circuit="ledger",state="closed"} 1`,
		`circuit_calls_total{circuit="gateway",result="failure"} 1`,
		`circuit_refusals_total{circuit="gateway"} 2`,
		`circuit_opened_total{circuit="gateway"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("the scrape lacks %s:\n%s", want, w.Body)
		}
	}
}
