package otelsignals_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"example.com/signals"
	"example.com/signals/otelsignals/testdata/backoff"
	"example.com/signals/otelsignals/testdata/resilience"
)

// hostile panics in each of its methods when it is nil.
type hostile struct{ text string }

func (h *hostile) Error() string { return h.text }
func (h *hostile) Unwrap() error { return errors.New(h.text) }

func TestErrorWhoseMethodsPanicLosesNoSpan(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(o.bus))
	s.Subscribe(func(context.Context, int) error { return (*hostile)(nil) }, signals.Key("hostile"))
	if s.TryEmit(ctx, 1) == nil {
		t.Fatal("no failure")
	}
	call := o.span("process s", "hostile")
	if call.Status.Code != codes.Error || !strings.Contains(call.Status.Description, "hostile") {
		t.Errorf("the call has the status %v", call.Status)
	}
	if class := attr(call.Attributes, "error.type"); !strings.Contains(class, "hostile") {
		t.Errorf("error.type is %q", class)
	}
	if emit := o.span("emit s", ""); emit.Status.Code != codes.Error {
		t.Errorf("the emission has the status %v", emit.Status)
	}
	if n := o.count("messaging.process.duration"); n != 1 {
		t.Errorf("%d calls were measured, want 1", n)
	}
}

func TestAllTextIsUTF8(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	s := signals.NewSync[int](signals.Name("s\xff"), signals.OnBus(o.bus))
	s.Subscribe(func(context.Context, int) error { return errors.New("bad \xfe") }, signals.Key("k\xfd"))
	s.Subscribe(func(context.Context, int) error { panic("worse \xfc") }, signals.Key("panics"))
	if s.TryEmitAll(ctx, 1) == nil {
		t.Fatal("no failure")
	}
	spans := o.spans.GetSpans()
	if len(spans) != 3 {
		t.Fatalf("%d spans, want 3", len(spans))
	}
	check := func(text string) {
		t.Helper()
		if !utf8.ValidString(text) {
			t.Errorf("%q is not UTF-8", text)
		}
	}
	for _, span := range spans {
		check(span.Name)
		check(span.Status.Description)
		for _, a := range span.Attributes {
			check(a.Value.String())
		}
		for _, e := range span.Events {
			for _, a := range e.Attributes {
				check(a.Value.String())
			}
		}
	}
}

// typed says what it is.
type typed struct{}

func (typed) Error() string     { return "typed" }
func (typed) ErrorType() string { return "bad \xff type" }

type noRoute struct{}

func (*noRoute) Error() string { return "no route" }

func TestErrorTypeIsTheCauseBehindWhatOnlyWraps(t *testing.T) {
	for want, err := range map[string]error{
		"*otelsignals_test.noRoute": &resilience.RetryError{Err: fmt.Errorf("to: %w", backoff.Permanent(&noRoute{}))},
		"timeout":                   &resilience.RetryError{Err: backoff.Permanent(context.DeadlineExceeded)},
		"panic":                     &resilience.RetryError{Err: &signals.PanicError{Value: "boom"}},
		"bad \uFFFD type":           fmt.Errorf("wrapped: %w", backoff.Permanent(typed{})),
	} {
		o := observe(t, sdktrace.AlwaysSample())
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(o.bus))
		s.Subscribe(func(context.Context, int) error { return err }, signals.Key("k"))
		s.Emit(ctx, 1)
		got := attr(o.span("process s", "k").Attributes, "error.type")
		if !strings.HasSuffix(got, want[strings.LastIndex(want, "*")+1:]) || strings.Contains(got, "resilience") || strings.Contains(got, "backoff") {
			t.Errorf("error.type of %v is %q, want %q", err, got, want)
		}
		if n := o.count("messaging.process.duration", "error.type", got); n != 1 {
			t.Errorf("%d calls are measured with %q", n, got)
		}
	}
}

func TestVetoIsNoErrorOfASpan(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(o.bus))
	s.Subscribe(func(context.Context, int) error { return signals.Veto(errDown) }, signals.Key("k"))
	if !signals.IsVeto(s.TryEmit(ctx, 1)) {
		t.Fatal("no veto")
	}
	for _, span := range o.spans.GetSpans() {
		if span.Status.Code == codes.Error || attr(span.Attributes, "error.type") != "" {
			t.Errorf("%s has the status %v", span.Name, span.Status)
		}
	}
	if len(o.spans.GetSpans()) != 2 || o.count("messaging.process.duration", "error.type", "") != 1 {
		t.Error("the veto is not measured as a call without an error")
	}
}
