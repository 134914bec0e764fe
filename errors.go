package signals

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"

	"example.com/signals/internal/listen"
)

// The errors that callers compare with errors.Is. Every error that a signal
// returns for one of these reasons wraps it and names the signal.
var (
	// ErrClosed: the signal is closed, or its bus is closing.
	ErrClosed = listen.ErrClosed
	// ErrOverflow: the signal has a Capacity and is at it.
	ErrOverflow = listen.ErrOverflow
	// ErrKeyTaken: another listener of the signal has that key.
	ErrKeyTaken = listen.ErrKeyTaken
	// ErrDropped: a listener did not get the emission, because it was removed
	// or because its MaxLag passed the emission over.
	ErrDropped = listen.ErrDropped
	// ErrGoexit: the listener ended its goroutine with runtime.Goexit, as
	// testing.T.FailNow does.
	ErrGoexit = listen.ErrGoexit
	// ErrWouldDeadlock: the caller would wait for the very listener that it
	// is called from.
	ErrWouldDeadlock = listen.ErrWouldDeadlock
)

// ListenerError is a failure with the listener that it came from. errors.Is
// and errors.As reach the cause.
type ListenerError struct {
	Signal   string // the signal's name
	Key      string // the listener's key, or ""
	Index    int    // its place in calling order when it failed, from 0; -1 if it was removed meanwhile
	Listener string // the listener's function
	Err      error  // what it returned, or a *PanicError, or ErrGoexit
}

// Error says which listener of which signal failed, and why.
func (e *ListenerError) Error() string {
	index := ""
	if e.Index >= 0 { // one that was removed has no place
		index = fmt.Sprintf(" %d", e.Index)
	}
	who := "(" + e.Listener + ")"
	if e.Key != "" {
		who = strconv.Quote(e.Key)
	}
	did := "failed"
	if IsVeto(e.Err) {
		did = "vetoed"
	}
	return fmt.Sprintf("signals: listener%s %s of %q %s: %s", index, who, e.Signal, did, textOf(e.Err))
}

// Unwrap returns the cause.
func (e *ListenerError) Unwrap() error { return e.Err }

// PanicError is a panic that a listener, a Filter or an Undo raised and that
// was recovered. It unwraps to Value if that is an error.
type PanicError struct {
	Value any    // what was passed to panic; a *runtime.PanicNilError for panic(nil)
	Stack []byte // the stack at the panic, as debug.Stack formats it
}

// Error gives the panic's value, without the stack.
func (e *PanicError) Error() string {
	if err, ok := e.Value.(error); ok {
		return "panic: " + textOf(err)
	}
	return fmt.Sprintf("panic: %v", e.Value)
}

// Unwrap returns Value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// textOf returns what an error says, or names its type if its Error method
// panics: that of a nil pointer, for instance.
func textOf(err error) (text string) {
	if err == nil {
		return "<nil>"
	}
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("an error of type %T, whose Error method panics", err)
		}
	}()
	return err.Error()
}

// panicOf returns the panic in err's chain, or nil. Foreign errors have a say
// in what their chain is, and may panic.
func panicOf(err error) (p *PanicError) {
	defer func() { _ = recover() }()
	p, _ = errors.AsType[*PanicError](err)
	return p
}

// Panicked makes an error of a recovered panic. It and the methods below are of
// listen.Listener.
func (e *entry) Panicked(v any) error { return &PanicError{Value: v, Stack: debug.Stack()} }

// Named returns err as an error that names the listener.
func (e *entry) Named(err error) error {
	info := e.info()
	return &ListenerError{Signal: info.Signal.Name, Key: e.Key, Index: e.b.current().Index(&e.Member), Listener: info.Listener, Err: err}
}

// Lost is the error for an emission that the listener will not get.
func (e *entry) Lost() error {
	i := e.info()
	return &ListenerError{Signal: i.Signal.Name, Key: e.Key, Index: -1, Listener: i.Listener, Err: fmt.Errorf("%w", ErrDropped)}
}

// Returned counts a failure, or a veto, that the emitter gets, and names the
// listener.
func (e *entry) Returned(ctx context.Context, payload any, err error) error {
	switch {
	case e.Skips(err):
		return nil
	case e.count(err):
		e.st.all.Load().failure(ctx, e.st, e.failure(payload, err))
	}
	return e.Named(err)
}

// Failed counts a failure and hands it to the failure handler; a veto is only
// counted.
func (e *entry) Failed(ctx context.Context, payload any, err error) {
	if !e.count(err) {
		return
	}
	f := e.failure(payload, err)
	e.st.all.Load().failure(ctx, e.st, f)
	e.st.hand(ctx, f)
}

// Unheard hands the failure handler a failure that has been counted. Nobody
// needs to hear of a veto.
func (e *entry) Unheard(ctx context.Context, payload any, err error) {
	if !IsVeto(err) {
		e.st.hand(ctx, e.failure(payload, err))
	}
}

// count counts a failure, or a veto, and reports whether it was a failure.
func (e *entry) count(err error) bool {
	if IsVeto(err) {
		e.st.vetoed.Add(1)
		e.outcome().vetoes.Add(1)
		return false
	}
	e.st.failed.Add(1)
	e.outcome().failures.Add(1)
	if panicked(err) {
		e.st.panics.Add(1)
		e.outcome().panics.Add(1)
	}
	return true
}

// panicked reports whether err is a panic of the listener itself, rather than
// an error that it returned from somewhere else.
func panicked(err error) bool {
	_, ok := err.(*PanicError) //nolint:errorlint // a wrapped one is an error that was returned
	return ok
}
