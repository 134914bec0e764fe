package signals

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// The errors that callers compare with errors.Is. Every error that a signal
// returns for one of these reasons wraps it and names the signal.
var (
	// ErrClosed: the signal is closed, or its bus is closing.
	ErrClosed = errors.New("signal is closed")
	// ErrOverflow: the signal has a Capacity and is at it.
	ErrOverflow = errors.New("signal is at capacity")
	// ErrKeyTaken: another listener of the signal has that key.
	ErrKeyTaken = errors.New("key is taken")
	// ErrDropped: a listener did not get the emission, because it was removed
	// or because its MaxLag passed the emission over.
	ErrDropped = errors.New("emission was dropped for a listener")
	// ErrGoexit: the listener ended its goroutine with runtime.Goexit, as
	// testing.T.FailNow does.
	ErrGoexit = errors.New("listener called runtime.Goexit")
	// ErrWouldDeadlock: the caller would wait for the very listener that it
	// is called from.
	ErrWouldDeadlock = errors.New("would wait for the listener that is calling")
)

// opError is an error of an operation on a signal: which one, on which, why.
type opError struct {
	op     string
	signal string
	err    error
}

func (e *opError) Error() string { return fmt.Sprintf("signals: %s %q: %v", e.op, e.signal, e.err) }
func (e *opError) Unwrap() error { return e.err }

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
	if e.Key != "" {
		return fmt.Sprintf("signals: listener %d %q of %q failed: %v", e.Index, e.Key, e.Signal, e.Err)
	}
	return fmt.Sprintf("signals: listener %d (%s) of %q failed: %v", e.Index, e.Listener, e.Signal, e.Err)
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
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns Value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

func newPanicError(v any) *PanicError { return &PanicError{Value: v, Stack: debug.Stack()} }

// recoverTo is deferred around calls of user code: a panic becomes *err. It
// must be deferred directly, or recover would not see the panic. A Goexit
// passes through it.
func recoverTo(err *error) {
	if v := recover(); v != nil {
		*err = newPanicError(v)
	}
}
