package promsignals_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/signals"
	"example.com/signals/promsignals"
)

// scrape asks the handler as Prometheus does, and prints some of the answer.
func scrape(metrics http.Handler, names ...string) {
	answer := httptest.NewRecorder()
	metrics.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range bytes.Lines(answer.Body.Bytes()) {
		for _, name := range names {
			if strings.HasPrefix(string(line), name+"{") {
				fmt.Print(string(line))
			}
		}
	}
}

func ExampleNewBusCollector() {
	ctx := context.Background()
	// region bus
	bus := signals.NewBus()
	reg := prometheus.NewRegistry()
	reg.MustRegister(promsignals.NewBusCollector(bus))
	metrics := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	// http.Handle("/metrics", metrics)
	// endregion

	orders := signals.Topic[string](bus, "order.placed")
	orders.Subscribe(func(context.Context, string) error { return nil }, signals.Key("stock"))
	orders.Emit(ctx, "A1")
	orders.Emit(ctx, "A2")
	if err := bus.Drain(ctx); err != nil {
		fmt.Println(err)
	}
	scrape(metrics, "signals_emissions_total", "signals_listener_deliveries_total", "signals_listener_lag")
	// Output:
	// signals_emissions_total{signal="order.placed"} 2
	// signals_listener_deliveries_total{listener="stock",signal="order.placed"} 2
	// signals_listener_lag{listener="stock",signal="order.placed"} 0
}

func ExampleConstLabels() {
	ctx := context.Background()
	shop, admin := signals.NewBus(), signals.NewBus()
	reg := prometheus.NewRegistry()
	// region buses
	reg.MustRegister(
		promsignals.NewBusCollector(shop, promsignals.ConstLabels(prometheus.Labels{"bus": "shop"})),
		promsignals.NewBusCollector(admin, promsignals.ConstLabels(prometheus.Labels{"bus": "admin"})))
	// endregion

	for _, bus := range []*signals.Bus{shop, admin} {
		signals.SyncTopic[string](bus, "login").Emit(ctx, "A1")
	}
	scrape(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), "signals_emissions_total")
	// Output:
	// signals_emissions_total{bus="admin",signal="login"} 1
	// signals_emissions_total{bus="shop",signal="login"} 1
}

func ExampleNewSignalCollector() {
	// region signal
	clicks := signals.NewSync[string](signals.Name("clicks"), signals.Counted())
	reg := prometheus.NewRegistry()
	reg.MustRegister(promsignals.NewSignalCollector(clicks))
	// endregion
	clicks.Subscribe(func(context.Context, string) error { return errors.New("down") }, signals.Key("log"))
	_ = clicks.TryEmit(context.Background(), "home")
	scrape(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), "signals_emissions_total", "signals_failures_total")
	// Output:
	// signals_emissions_total{signal="clicks"} 1
	// signals_failures_total{signal="clicks"} 1
}

func ExampleInstrumentedSignal() {
	// region instrumented
	payments := promsignals.NewInstrumented(signals.NewSync[int](signals.Name("payments")))
	reg := prometheus.NewRegistry()
	reg.MustRegister(payments)
	payments.Subscribe(func(_ context.Context, cents int) error {
		if cents <= 0 {
			return errors.New("nothing to pay")
		}
		return nil
	})
	for _, cents := range []int{100, 0, 250} {
		if err := payments.TryEmit(context.Background(), cents); err != nil {
			fmt.Println(errors.Unwrap(err))
		}
	}
	// endregion
	scrape(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}),
		"signals_emit_calls_total", "signals_emit_errors_total", "signals_emit_duration_seconds_count")
	// Output:
	// nothing to pay
	// signals_emit_calls_total{signal="payments"} 3
	// signals_emit_duration_seconds_count{signal="payments"} 3
	// signals_emit_errors_total{signal="payments"} 1
}
