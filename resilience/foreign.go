package resilience

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"example.com/signals"
)

// The methods of an error that a listener returned are foreign code, and may
// panic: those of a nil pointer in an error do. What is asked of such errors is
// asked here, where a method that panics has no answer, and the failure stays
// what it is.

// walk calls visit with err and all that it wraps, as errors.Is does, until
// visit returns true, and reports whether it did.
func walk(err error, visit func(error) bool) bool {
	for err != nil {
		if visit(err) {
			return true
		}
		one, many := unwrap(err)
		for _, e := range many {
			if walk(e, visit) {
				return true
			}
		}
		err = one
	}
	return false
}

// unwrap returns what err wraps.
func unwrap(err error) (one error, many []error) { //nolint:staticcheck // both are what err wraps
	defer func() { _ = recover() }()
	switch e := err.(type) { //nolint:errorlint // one step of walk
	case interface{ Unwrap() error }:
		return e.Unwrap(), nil
	case interface{ Unwrap() []error }:
		return nil, e.Unwrap()
	}
	return nil, nil
}

// is is errors.Is.
func is(err, target error) bool {
	return target != nil && walk(err, func(e error) bool { return same(e, target) })
}

func same(err, target error) (yes bool) {
	defer func() { _ = recover() }() // of Is, and of == for what cannot be compared
	if e, ok := err.(interface{ Is(error) bool }); ok && e.Is(target) {
		return true
	}
	return err == target //nolint:errorlint // one step of is
}

// as is errors.AsType for pointers; it passes over nil ones.
func as[E any](err error) (found *E) {
	walk(err, func(e error) bool {
		found = convert[E](e)
		return found != nil
	})
	return found
}

func convert[E any](err error) (found *E) {
	defer func() {
		if recover() != nil {
			found = nil
		}
	}()
	if e, ok := any(err).(*E); ok {
		return e
	}
	if e, ok := err.(interface{ As(any) bool }); ok && !e.As(&found) { // one step of as
		return nil
	}
	return found
}

// text is err.Error(). If that panics, the type of the error whose method it was
// stands in the place of its text.
func text(err error) (s string) {
	if err == nil {
		return "<nil>"
	}
	defer func() {
		if recover() == nil {
			return
		}
		one, many := unwrap(err)
		switch {
		case one != nil:
			s = text(one)
		case len(many) > 0:
			texts := make([]string, len(many))
			for i, e := range many {
				texts[i] = text(e)
			}
			s = strings.Join(texts, "\n")
		default:
			s = fmt.Sprintf("%T, whose Error method panics", err)
		}
	}()
	return err.Error()
}

// answered reports whether what a listener returned is no failure: a veto, or that the
// listeners behind it need not be called.
func answered(err error) bool { return skips(err) || signals.IsVeto(err) }

// skips reports whether err is signals.SkipRest, and nothing else joined to it.
func skips(err error) bool {
	any := false
	only := err != nil && parts(err, func(e error) bool {
		any = is(e, signals.SkipRest)
		return any
	})
	return any && only
}

// joined is the type that errors.Join makes.
var joined = reflect.TypeOf(errors.Join(errors.New("")))

// parts calls visit with each error that was joined into err, or with err if
// none were, until it returns false. A join counts wherever it is wrapped.
// What wraps several errors and is no join, as fmt.Errorf makes, is one error.
func parts(err error, visit func(error) bool) bool {
	for at := err; at != nil; {
		switch e := at.(type) { //nolint:errorlint // a walk of its own
		case *RetryError:
			if e != nil {
				return parts(e.Err, visit) // the cause says why there was no further attempt
			}
		case *BatchError:
			if e != nil && len(e.Errs) > 0 {
				return eachPart(e.Unwrap(), visit)
			}
		}
		one, many := unwrap(at)
		if reflect.TypeOf(at) == joined {
			return eachPart(many, visit)
		}
		at = one
	}
	return visit(err)
}

func eachPart(errs []error, visit func(error) bool) bool {
	for _, e := range errs {
		if !parts(e, visit) {
			return false
		}
	}
	return true
}
