package otelsignals

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"example.com/signals"
)

// valid makes text that is UTF-8: OTLP refuses a whole batch for one string that
// is not.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// textOf returns the text of an error. If its Error panics, as that of a typed
// nil pointer may, it is the error's type.
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%T, whose Error panics", err)
		}
	}()
	return valid(err.Error())
}

// classOf classes an error; there are few classes. It also returns the panic in
// it, if there is one. If a method of the error panics, the class is the
// error's type.
func classOf(err error) (class attribute.KeyValue, p *signals.PanicError) {
	defer func() {
		if recover() != nil {
			class, p = keyErrorType.String(valid(fmt.Sprintf("%T", cause(err)))), nil
		}
	}()
	if f, ok := errors.AsType[*signals.ListenerError](err); ok {
		err = f.Err // what failed, rather than that a listener did
	}
	p, panicked := errors.AsType[*signals.PanicError](err)
	switch {
	case panicked:
		return keyErrorType.String("panic"), p
	case errors.Is(err, signals.ErrGoexit):
		return keyErrorType.String("goexit"), nil
	case errors.Is(err, signals.ErrOverflow):
		return keyErrorType.String("overflow"), nil
	case errors.Is(err, signals.ErrClosed):
		return keyErrorType.String("closed"), nil
	case errors.Is(err, context.Canceled):
		return keyErrorType.String("canceled"), nil
	case errors.Is(err, context.DeadlineExceeded):
		return keyErrorType.String("timeout"), nil
	}
	class = semconv.ErrorType(cause(err)) // which may be what a method of it says
	return class.Key.String(valid(class.Value.AsString())), nil
}

// cause looks through what only says how an error came about: the failure of a
// listener, the wrappers of fmt, and those of package resilience and of the package
// that its Permanent and RetryAfter are from, which this module does not import. It
// stops at the first error of another package.
func cause(err error) (inner error) {
	inner = err
	defer func() { _ = recover() }() // an Unwrap that panics: what was reached so far
	for {
		switch typ := fmt.Sprintf("%T", inner); {
		case typ == "*signals.ListenerError", typ == "*fmt.wrapError",
			strings.HasPrefix(typ, "*resilience."), strings.HasPrefix(typ, "*backoff."):
		default:
			return inner
		}
		var next error
		switch e := inner.(type) { //nolint:errorlint // a walk of its own
		case interface{ Unwrap() error }:
			next = e.Unwrap()
		case interface{ Unwrap() []error }:
			if all := e.Unwrap(); len(all) > 0 {
				next = all[0] // a RetryError's first is the listener's own
			}
		}
		if next == nil {
			return inner
		}
		inner = next
	}
}

// failed reports whether an outcome is a failure or a refusal: a veto is an
// expected answer.
func failed(err error) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = true
		}
	}()
	return err != nil && !signals.IsVeto(err)
}
