package otelsignals_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"example.com/signals"
	"example.com/signals/otelsignals"
)

func TestSyncListenersAreChildrenOfTheEmission(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	orders := signals.NewSync[int](signals.Name("orders"), signals.OnBus(o.bus))
	orders.Subscribe(succeeds, signals.Key("stock"))
	orders.Subscribe(succeeds)
	request, span := o.tracer.Start(ctx, "request")
	orders.Emit(request, 1)
	span.End()

	emit := o.span("emit orders", "")
	if emit.Parent.SpanID() != o.span("request", "").SpanContext.SpanID() {
		t.Error("the emission is no child of the request")
	}
	for _, listener := range []string{"stock", "otelsignals_test.succeeds"} {
		call := o.span("process orders", listener)
		if call.Parent.SpanID() != emit.SpanContext.SpanID() || call.SpanKind != trace.SpanKindInternal || len(call.Links) != 0 {
			t.Errorf("%s: parent %v, kind %v, links %v", listener, call.Parent.SpanID(), call.SpanKind, call.Links)
		}
	}
	for key, want := range map[string]string{
		"messaging.system": "signals", "messaging.destination.name": "orders", "messaging.operation.name": "emit",
		"messaging.operation.type": "send", "signals.kind": "sync", "signals.payload.type": "int",
	} {
		if got := attr(emit.Attributes, key); got != want {
			t.Errorf("emission: %s is %q, want %q", key, got, want)
		}
	}
	call := o.span("process orders", "stock")
	for key, want := range map[string]string{
		"messaging.system": "signals", "messaging.destination.name": "orders", "messaging.operation.name": "process",
		"messaging.operation.type": "process", "code.function.name": "example.com/signals/otelsignals_test.succeeds", "signals.kind": "sync",
	} {
		if got := attr(call.Attributes, key); got != want {
			t.Errorf("call: %s is %q, want %q", key, got, want)
		}
	}
	if site := attr(call.Attributes, "signals.listener.site"); !strings.HasPrefix(site, "otelsignals/observer_test.go:") {
		t.Errorf("the listener was registered at %q", site)
	}
}

func TestAsyncListenersAreLinkedToTheEmission(t *testing.T) {
	for _, test := range []struct {
		name string
		opts []otelsignals.Option
		same bool
	}{
		{"children", nil, true},
		{"new traces", []otelsignals.Option{otelsignals.NewTraces()}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := observe(t, sdktrace.AlwaysSample(), test.opts...)
			jobs := signals.Topic[int](o.bus, "jobs")
			jobs.Subscribe(succeeds, signals.Key("a"))
			jobs.Subscribe(succeeds, signals.Key("b"))
			request, span := o.tracer.Start(ctx, "request")
			jobs.Emit(request, 1)
			span.End()
			o.drain()
			emit := o.span("emit jobs", "")
			if emit.SpanKind != trace.SpanKindProducer {
				t.Errorf("the emission is of kind %v", emit.SpanKind)
			}
			for _, key := range []string{"a", "b"} {
				call := o.span("process jobs", key)
				if call.SpanKind != trace.SpanKindConsumer {
					t.Errorf("%s is of kind %v", key, call.SpanKind)
				}
				if len(call.Links) != 1 || !call.Links[0].SpanContext.Equal(emit.SpanContext) {
					t.Errorf("%s has the links %v", key, call.Links)
				}
				if test.same != (call.Parent.SpanID() == emit.SpanContext.SpanID()) || test.same == !call.Parent.IsValid() {
					t.Errorf("%s has the parent %v", key, call.Parent)
				}
				if test.same != (call.SpanContext.TraceID() == emit.SpanContext.TraceID()) {
					t.Errorf("%s is of the trace %v, the emission of %v", key, call.SpanContext.TraceID(), emit.SpanContext.TraceID())
				}
			}
		})
	}
}

// What a listener does, and what it emits, belongs to its span.
func TestSpansOfListenersGoOn(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	first, second := signals.Topic[int](o.bus, "first"), signals.NewSync[int](signals.Name("second"), signals.OnBus(o.bus))
	second.Subscribe(fails, signals.Key("inner"))
	first.Subscribe(func(ctx context.Context, n int) error {
		_, span := o.tracer.Start(ctx, "work")
		span.End()
		second.Emit(ctx, n)
		return nil
	}, signals.Key("outer"))
	first.Emit(ctx, 1)
	o.drain()
	outer := o.span("process first", "outer")
	for _, name := range []string{"work", "emit second"} {
		if s := o.span(name, ""); s.Parent.SpanID() != outer.SpanContext.SpanID() {
			t.Errorf("%s is no child of the listener", name)
		}
	}
	if outer.Status.Code == codes.Error {
		t.Error("the failure of the inner listener is on the span of the outer one")
	}
	if inner := o.span("process second", "inner"); inner.Parent.SpanID() != o.span("emit second", "").SpanContext.SpanID() {
		t.Error("the inner listener is no child of the inner emission")
	}
}

func TestFailuresAreOnTheirSpans(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(o.bus))
	s.Subscribe(fails, signals.Key("fails"))
	s.Subscribe(panics, signals.Key("panics"))
	if err := s.TryEmitAll(ctx, 1); err == nil {
		t.Fatal("no failure")
	}
	failed := o.span("process s", "fails")
	if failed.Status.Code != codes.Error || failed.Status.Description != "down" || attr(failed.Attributes, "error.type") != "*errors.errorString" {
		t.Errorf("failure: %v, error.type %q", failed.Status, attr(failed.Attributes, "error.type"))
	}
	panicked := o.span("process s", "panics")
	if panicked.Status.Code != codes.Error || attr(panicked.Attributes, "error.type") != "panic" {
		t.Errorf("panic: %v, error.type %q", panicked.Status, attr(panicked.Attributes, "error.type"))
	}
	if len(panicked.Events) != 1 || !strings.Contains(attr(panicked.Events[0].Attributes, "exception.stacktrace"), "otelsignals_test.panics") {
		t.Errorf("panic: events %v", panicked.Events)
	}
	if emit := o.span("emit s", ""); emit.Status.Code != codes.Error {
		t.Errorf("the emission has %v", emit.Status)
	}
	if n := o.count("messaging.process.duration", "error.type", "panic", "messaging.destination.subscription.name", "panics"); n != 1 {
		t.Errorf("%d panics were measured", n)
	}
}

func TestRefusalIsOnTheSpanOfTheEmission(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	full := signals.Topic[int](o.bus, "full", signals.Capacity(1, signals.Reject))
	entered, leave := make(chan bool), make(chan bool)
	full.Subscribe(func(context.Context, int) error {
		entered <- true
		<-leave
		return nil
	}, signals.Key("slow"))
	full.Emit(ctx, 1)
	<-entered
	o.spans.Reset()
	if err := full.Offer(ctx, 2); err == nil {
		t.Fatal("not refused")
	}
	if emit := o.span("emit full", ""); emit.Status.Code != codes.Error || attr(emit.Attributes, "error.type") != "overflow" {
		t.Errorf("status %v, error.type %q", emit.Status, attr(emit.Attributes, "error.type"))
	}
	if n := o.count("messaging.client.operation.duration", "error.type", "overflow"); n != 1 {
		t.Errorf("%d refusals were measured", n)
	}
	leave <- true
	o.drain()
}

func TestGoexitIsAFailureOfItsSpan(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	s := signals.Topic[int](o.bus, "s")
	s.Subscribe(func(context.Context, int) error { runtime.Goexit(); return nil }, signals.Key("exits"))
	s.Emit(ctx, 1)
	o.drain()
	if got := attr(o.span("process s", "exits").Attributes, "error.type"); got != "goexit" {
		t.Errorf("error.type is %q", got)
	}
}

func TestMetricsCountEveryEmissionCallAndDrop(t *testing.T) {
	for name, opts := range map[string][]otelsignals.Option{"with traces": nil, "without": {otelsignals.NoTraces()}} {
		t.Run(name, func(t *testing.T) {
			o := observe(t, sdktrace.NeverSample(), opts...)
			prices := signals.Topic[int](o.bus, "prices")
			entered, leave := make(chan bool), make(chan bool)
			prices.Subscribe(func(context.Context, int) error {
				entered <- true
				<-leave
				return nil
			}, signals.Key("slow"))
			prices.Subscribe(succeeds, signals.Key("quick"))
			prices.Emit(ctx, 0)
			<-entered
			for i := range 9 {
				prices.Emit(ctx, i)
			}
			prices.RemoveListener("slow")
			close(leave)
			o.drain()
			for _, want := range []struct {
				n     uint64
				name  string
				attrs []string
			}{
				{10, "messaging.client.operation.duration", []string{"messaging.destination.name", "prices", "messaging.operation.name", "emit", "messaging.operation.type", "send", "messaging.system", "signals"}},
				{10, "messaging.process.duration", []string{"messaging.destination.subscription.name", "quick", "messaging.operation.name", "process"}},
				{1, "messaging.process.duration", []string{"messaging.destination.subscription.name", "slow"}},
				{9, "signals.drops", []string{"messaging.destination.subscription.name", "slow"}},
			} {
				if got := o.count(want.name, want.attrs...); got != want.n {
					t.Errorf("%s%v is %d, want %d", want.name, want.attrs, got, want.n)
				}
			}
			if n := len(o.spans.GetSpans()); n != 0 {
				t.Errorf("%d spans", n)
			}
		})
	}
}

func TestNoMetrics(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample(), otelsignals.NoMetrics())
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(o.bus))
	s.Subscribe(succeeds)
	s.Emit(ctx, 1)
	if n := o.count("messaging.client.operation.duration") + o.count("messaging.process.duration"); n != 0 {
		t.Errorf("%d measurements", n)
	}
	if len(o.spans.GetSpans()) != 2 {
		t.Errorf("spans are %v", o.names())
	}
}

// A sampler that is asked about each span would sample children of what was
// left out, and with NewTraces each call anew.
func TestCallsAreRecordedWithTheirEmissionOrNotAtAll(t *testing.T) {
	for _, opts := range [][]otelsignals.Option{nil, {otelsignals.NewTraces()}} {
		o := observe(t, onlyIn{"process kept", "emit kept"}, opts...)
		left, kept := signals.Topic[int](o.bus, "left"), signals.Topic[int](o.bus, "kept")
		for _, s := range []*signals.AsyncSignal[int]{left, kept} {
			s.Subscribe(succeeds, signals.Key("k"))
			s.Emit(ctx, 1)
		}
		o.drain()
		o.span("emit kept", "")
		o.span("process kept", "k")
		if n := len(o.spans.GetSpans()); n != 2 {
			t.Errorf("spans are %v", o.names())
		}
	}
	// The other way round: nobody is asked.
	o := observe(t, onlyIn{"process left"}, otelsignals.NewTraces())
	left := signals.Topic[int](o.bus, "left")
	left.Subscribe(succeeds, signals.Key("k"))
	left.Emit(ctx, 1)
	o.drain()
	if len(o.spans.GetSpans()) != 0 {
		t.Errorf("spans are %v", o.names())
	}
}

// A listener that is recorded emits what is not: that ends no span of others.
func TestUnrecordedEmissionInsideLeavesTheOuterSpanOpen(t *testing.T) {
	o := observe(t, onlyIn{"emit outer", "process outer"})
	outer, inner := signals.NewSync[int](signals.Name("outer"), signals.OnBus(o.bus)), signals.NewSync[int](signals.Name("inner"), signals.OnBus(o.bus))
	inner.Subscribe(fails, signals.Key("k"))
	outer.Subscribe(func(ctx context.Context, n int) error {
		inner.Emit(ctx, n)
		if !trace.SpanFromContext(ctx).IsRecording() {
			t.Error("the span of the listener has ended while it runs")
		}
		return nil
	}, signals.Key("k"))
	outer.Emit(ctx, 1)
	if s := o.span("process outer", "k"); s.Status.Code == codes.Error {
		t.Errorf("the span has the status of another: %v", s.Status)
	}
}

// An emission that was accepted before its signal was observed carries what an
// outer emission has left in the context: that is its parent, not its link.
func TestObserverThatComesLateLinksToNoOtherEmission(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	bus := signals.NewBus()
	late := signals.Topic[int](bus, "late")
	entered, leave := make(chan bool, 2), make(chan bool)
	late.Subscribe(func(context.Context, int) error {
		entered <- true
		<-leave
		return nil
	}, signals.Key("k"))
	late.Emit(ctx, 0)
	<-entered // so that what comes is not claimed yet
	outer := signals.NewSync[int](signals.Name("outer"), signals.OnBus(o.bus))
	outer.Subscribe(func(ctx context.Context, n int) error {
		late.Emit(ctx, n)
		return nil
	}, signals.Key("k"))
	outer.Emit(ctx, 1)
	bus.Observe(o.same)
	close(leave)
	if err := bus.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	call := o.span("process late", "k")
	if len(call.Links) != 0 || call.Parent.SpanID() != o.span("process outer", "k").SpanContext.SpanID() {
		t.Errorf("links %v, parent %v", call.Links, call.Parent)
	}
}

func TestTwoObserversDoNotMix(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	second := tracetest.NewInMemoryExporter()
	o.bus.Observe(otelsignals.New(otelsignals.NoMetrics(), otelsignals.TracerProvider(
		sdktrace.NewTracerProvider(sdktrace.WithSyncer(second)))))
	s := signals.Topic[int](o.bus, "s")
	s.Subscribe(fails, signals.Key("k"))
	s.Emit(ctx, 1)
	o.drain()
	if len(o.spans.GetSpans()) != 2 || len(second.GetSpans()) != 2 {
		t.Errorf("%d and %d spans, want 2 each", len(o.spans.GetSpans()), len(second.GetSpans()))
	}
	for _, s := range append(o.spans.GetSpans(), second.GetSpans()...) {
		if s.Name == "process s" && s.Status.Code != codes.Error {
			t.Errorf("status %v", s.Status)
		}
	}
}

func TestManyListenersComeAndGo(t *testing.T) {
	o := observe(t, sdktrace.NeverSample())
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(o.bus))
	const n = 5_000 // more than are remembered
	for i := range n {
		sub := s.Subscribe(succeeds, signals.Key(fmt.Sprint("k", i%7)))
		s.Emit(ctx, i)
		sub.Unsubscribe()
	}
	if got := o.count("messaging.process.duration", "messaging.destination.subscription.name", "k1"); got != n/7+1 {
		t.Errorf("%d calls of one key, want %d", got, n/7+1)
	}
}

// Connections must not take the room that the SDK has for labels: 2,000 for an
// instrument, and what comes then is lost in one.
func TestKeysAreLabelsOfMetricsOnlyForTheFirst(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample(), otelsignals.MaxKeys(3))
	conns := signals.NewSync[int](signals.Name("conns"), signals.OnBus(o.bus))
	conns.Subscribe(succeeds, signals.Key("audit"))
	for i := range 5000 {
		key := fmt.Sprint("conn-", i)
		conns.Subscribe(fails, signals.Key(key))
		conns.Emit(ctx, i)
		conns.RemoveListener(key)
	}
	orders := signals.NewSync[int](signals.Name("orders"), signals.OnBus(o.bus))
	orders.Subscribe(succeeds, signals.Key("stock"))
	orders.Emit(ctx, 1)
	const subscription = "messaging.destination.subscription.name"
	for label, want := range map[string]uint64{
		"audit": 5000, "conn-0": 1, "conn-1": 1, "conn-2": 0, "otelsignals_test.fails": 4998, "stock": 1,
	} {
		if n := o.count("messaging.process.duration", subscription, label); n != want {
			t.Errorf("%d calls of %q, want %d", n, label, want)
		}
	}
	o.span("process conns", "conn-4999") // spans have every key
}

func TestUndoRunsInTheTraceOfTheEmission(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(o.bus))
	var at trace.SpanContext
	s.Step(func(context.Context, int) (signals.Undo, error) {
		return func(ctx context.Context) error {
			at = trace.SpanContextFromContext(ctx)
			_, span := o.tracer.Start(ctx, "refund")
			span.End()
			return nil
		}, nil
	}, signals.Key("pay"))
	s.Subscribe(fails, signals.Key("ship"))
	if s.TryEmit(ctx, 1) == nil {
		t.Fatal("no failure")
	}
	emit := o.span("emit s", "")
	if at.SpanID() != emit.SpanContext.SpanID() || o.span("refund", "").Parent.SpanID() != emit.SpanContext.SpanID() {
		t.Errorf("the Undo ran in %v, the emission is %v", at.SpanID(), emit.SpanContext.SpanID())
	}
}

func TestInstrumentsHaveAVersion(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(o.bus))
	s.Emit(ctx, 1)
	var all metricdata.ResourceMetrics
	if err := o.reader.Collect(ctx, &all); err != nil {
		t.Fatal(err)
	}
	span := o.span("emit s", "").InstrumentationScope
	if span.Version == "" || len(all.ScopeMetrics) != 1 || all.ScopeMetrics[0].Scope.Version != span.Version {
		t.Errorf("spans are of %v, metrics of %v", span, all.ScopeMetrics)
	}
}

func TestMisusePanicsAtOnce(t *testing.T) {
	for name, fn := range map[string]func(){
		"no tracer provider": func() { otelsignals.TracerProvider(nil) },
		"no meter provider":  func() { otelsignals.MeterProvider(nil) },
		"fewer than no keys": func() { otelsignals.MaxKeys(-1) },
		"nothing":            func() { otelsignals.New(otelsignals.NoTraces(), otelsignals.NoMetrics()) },
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "otelsignals: ") {
					t.Errorf("%s: panic %q", name, text)
				}
			}()
			fn()
		}()
	}
}

// onlyIn samples the spans of these names, whatever their parents.
type onlyIn []string

func (names onlyIn) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if slices.Contains(names, p.Name) {
		return sdktrace.AlwaysSample().ShouldSample(p)
	}
	return sdktrace.NeverSample().ShouldSample(p)
}

func (onlyIn) Description() string { return "onlyIn" }
