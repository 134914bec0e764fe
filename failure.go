package signals

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"time"
)

// Failure is what failure handlers get: an error returned by, or a panic in, a
// listener; or, without a Listener, an Emit that was refused.
type Failure struct {
	Signal   string // the signal's name
	Key      string // the listener's key, or ""
	Listener string // the listener's function, or "" if the emission was refused
	Site     string // file:line of the listener's registration
	Payload  any
	Err      error // the error, a *PanicError, ErrGoexit, or the reason for the refusal
}

// count counts a failure of listener e.
func (e *entry[T]) count(err error) {
	e.st.failed.Add(1)
	e.failures.Add(1)
	if panicked(err) {
		e.st.panics.Add(1)
		e.panics.Add(1)
	}
}

// named returns err with the listener that it came from.
func (e *entry[T]) named(err error) *ListenerError {
	info := e.info()
	index := slices.IndexFunc(e.sig.rows(), func(r row[T]) bool { return r.entry == e })
	return &ListenerError{Signal: info.Signal.Name, Key: e.key, Index: index, Listener: info.Listener, Err: err}
}

// failed counts a failure that the emitter gets, and returns it.
func (e *entry[T]) failed(ctx context.Context, payload T, err error) error {
	e.count(err)
	e.st.hooks(telling).failure(ctx, e.st, func() Failure { return e.failure(payload, err) })
	return e.named(err)
}

func (e *entry[T]) failure(payload T, err error) Failure {
	info := e.info()
	return Failure{
		Signal: info.Signal.Name, Key: e.key, Listener: info.Listener, Site: info.Site,
		Payload: payload, Err: err,
	}
}

// panicked reports whether err is a panic of the listener itself, rather than
// an error that it returned from somewhere else.
func panicked(err error) bool {
	_, ok := err.(*PanicError) //nolint:errorlint // a wrapped one is an error that was returned
	return ok
}

// report counts a failure and hands it to the failure handler.
func (e *entry[T]) report(ctx context.Context, payload T, err error) {
	e.count(err)
	e.st.handle(ctx, e.failure(payload, err))
}

// handle tells the observers, and then calls the signal's handler, else the
// bus's, else it logs.
func (st *settings) handle(ctx context.Context, f Failure) {
	st.hooks(telling).failure(ctx, st, func() Failure { return f })
	if st.onFailure == nil || st.ofFail {
		st.logFailure(ctx, f)
		return
	}
	defer func() {
		if v := recover(); v != nil {
			st.say(ctx, slog.LevelError, "signals: a failure handler panicked",
				"signal", f.Signal, "panic", fmt.Sprint(v), "stack", string(debug.Stack()), "failure", f.Err)
		}
	}()
	st.onFailure(ctx, f)
}

// logFailure is the default handler. Refusals are logged at most once a
// second for each signal, with the number since the last line.
func (st *settings) logFailure(ctx context.Context, f Failure) {
	if f.Listener == "" {
		if n := st.refusals(); n > 0 {
			st.say(ctx, slog.LevelError, "signals: emissions refused", "signal", f.Signal, "err", f.Err, "count", n)
		}
		return
	}
	args := []any{"signal", f.Signal, "key", f.Key, "listener", f.Listener, "site", f.Site, "err", f.Err}
	if p, ok := errors.AsType[*PanicError](f.Err); ok {
		args = append(args, "stack", string(p.Stack))
	}
	st.say(ctx, slog.LevelError, "signals: listener failed", args...)
}

// say logs. A Logger that panics does not end the program: what it was told
// goes to the standard error then.
func (st *settings) say(ctx context.Context, level slog.Level, msg string, args ...any) {
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(os.Stderr, "signals: the Logger of %q panicked: %v; it was told: %s %v\n", st.info().Name, v, msg, args)
		}
	}()
	logger := st.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Log(ctx, level, msg, args...)
}

// refusals counts one refused emission and returns how many to log now, or 0.
func (st *settings) refusals() int {
	q := &st.quiet
	q.mu.Lock()
	defer q.mu.Unlock()
	q.n++
	now := time.Now()
	if ago := now.Sub(q.since); !q.since.IsZero() && ago >= 0 && ago < time.Second {
		return 0
	}
	n := q.n
	q.since, q.n = now, 0
	return n
}

// refuse reports an Emit that was not accepted.
func (b *baseSignal[T]) refuse(ctx context.Context, payload T, err error) {
	st := b.conf.Load()
	st.handle(ctx, Failure{Signal: st.info().Name, Payload: payload, Err: err})
}
