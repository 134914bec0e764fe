package signals

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"runtime/debug"
	"strconv"
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

// String says in one line what failed and why, as an error would; the payload,
// which may be a secret, is not in it.
func (f Failure) String() string {
	if f.Listener == "" {
		return fmt.Sprintf("signals: an emission on %q was refused: %s", f.Signal, textOf(f.Err))
	}
	who := "(" + f.Listener + ")"
	if f.Key != "" {
		who = strconv.Quote(f.Key)
	}
	return fmt.Sprintf("signals: listener %s of %q, registered at %s, failed: %s", who, f.Signal, f.Site, textOf(f.Err))
}

func (e *entry) failure(payload any, err error) Failure {
	info := e.info()
	return Failure{
		Signal: info.Signal.Name, Key: e.Key, Listener: info.Listener, Site: info.Site,
		Payload: payload, Err: err,
	}
}

// hand calls the signal's handler, else the bus's, else it logs.
func (st *settings) hand(ctx context.Context, f Failure) {
	if f.Listener == "" {
		st.all.Load().failure(ctx, st, f)
	}
	if st.onFailure == nil || st.of == reflect.TypeFor[Failure]() {
		st.logFailure(ctx, f)
		return
	}
	defer func() {
		if v := recover(); v != nil {
			st.say(ctx, slog.LevelError, "signals: a failure handler panicked",
				"signal", f.Signal, "panic", fmt.Sprint(v), "stack", string(debug.Stack()), "failure", textOf(f.Err))
		}
	}()
	st.onFailure(ctx, f)
}

// logFailure is the default handler. Refusals are logged at most once a
// second for each signal, with the number since the last line.
func (st *settings) logFailure(ctx context.Context, f Failure) {
	if f.Listener == "" {
		if n := st.countRefusal(f.Err); n > 0 {
			st.sayRefused(ctx, f.Err, n)
		}
		return
	}
	args := []any{"signal", f.Signal, "key", f.Key, "listener", f.Listener, "site", f.Site, "err", loggable(f.Err)}
	if p := panicOf(f.Err); p != nil {
		args = append(args, "stack", string(p.Stack))
	}
	st.say(ctx, slog.LevelError, "signals: listener failed", args...)
}

func (st *settings) sayRefused(ctx context.Context, err error, n int) {
	st.say(ctx, slog.LevelError, "signals: emissions refused", "signal", st.Name(), "err", loggable(err), "count", n)
}

// loggable returns err, or its text if its Error method panics.
func loggable(err error) (logged any) {
	defer func() {
		if recover() != nil {
			logged = textOf(err)
		}
	}()
	_ = err.Error()
	return err
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

// countRefusal counts one refused emission and returns how many to log now, or
// 0: then a timer logs them when the second is over.
func (st *settings) countRefusal(err error) int {
	q := &st.quiet
	q.mu.Lock()
	defer q.mu.Unlock()
	q.n++
	now := time.Now()
	if ago := now.Sub(q.since); !q.since.IsZero() && ago >= 0 && ago < quietFor {
		q.last = err
		if !q.timed {
			q.timed = true
			time.AfterFunc(quietFor-ago+time.Millisecond, st.logRefusals) // behind one that comes just then
		}
		return 0
	}
	n := q.n
	q.since, q.n, q.last = now, 0, nil
	return n
}

// quietFor is how long the default handler says nothing more of refusals.
const quietFor = time.Second

// logRefusals logs the refusals that have not been logged, unless a line has
// just been: then it comes back.
func (st *settings) logRefusals() {
	q := &st.quiet
	q.mu.Lock()
	q.timed = false
	if ago := time.Since(q.since); q.n > 0 && ago >= 0 && ago < quietFor {
		q.timed = true
		time.AfterFunc(quietFor-ago+time.Millisecond, st.logRefusals)
		q.mu.Unlock()
		return
	}
	n, err := q.n, q.last
	q.n, q.last = 0, nil
	if n > 0 {
		q.since = time.Now()
	}
	q.mu.Unlock()
	if n > 0 {
		st.sayRefused(context.Background(), err, n)
	}
}

// rejected reports an Emit that was not accepted.
func (st *settings) rejected(ctx context.Context, payload any, err error) {
	st.hand(orBackground(ctx), Failure{Signal: st.Name(), Payload: payload, Err: err})
}

// turnedAway reports what a wrapper has not let through.
func (st *settings) turnedAway(ctx context.Context, payload any, err error) {
	st.refused.Add(1)
	st.rejected(ctx, payload, err)
}
