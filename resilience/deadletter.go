package resilience

import (
	"context"
	"runtime/debug"

	"example.com/signals"
)

// Letter is what DeadLetter emits: a payload that a listener failed to handle.
type Letter[T any] struct {
	Payload T
	// Err is what came of it: the error that went on, with that of the last
	// call of the listener in it; a *signals.PanicError; or signals.ErrGoexit.
	Err error
	// Attempts is how often the listener was called, by a Retry within too. It
	// is 0 if a wrapper within, such as a Breaker, refused every attempt.
	Attempts int
}

// DeadLetter emits on dead what fn failed to handle, by an error, a panic or
// runtime.Goexit; a veto is no failure, and makes no letter. Around Retry that
// is after the last attempt. The failure goes on: it is returned, and counted by
// the signal as without DeadLetter. The letter has the values of ctx but not its
// end, so that it outlives the request that failed. If dead refuses the letter,
// its failure handler gets it.
func DeadLetter[T any](fn func(context.Context, T) error, dead signals.Signal[Letter[T]]) func(context.Context, T) error {
	need(fn != nil, "DeadLetter: the listener is nil")
	need(dead != nil, "DeadLetter: the signal is nil")
	return signals.Identify(func(ctx context.Context, payload T) error {
		return lettered(ctx, func(ctx context.Context) error { return fn(ctx, payload) },
			func(ctx context.Context, err error, attempts int) {
				dead.Emit(ctx, Letter[T]{payload, err, attempts})
			})
	}, fn)
}

// lettered calls a listener and, if it fails, send.
func lettered(ctx context.Context, call func(context.Context) error, send func(ctx context.Context, err error, attempts int)) error {
	a := &attempts{Context: ctx}
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			send(context.WithoutCancel(ctx), signals.ErrGoexit, a.get())
			return
		}
		send(context.WithoutCancel(ctx), &signals.PanicError{Value: v, Stack: debug.Stack()}, a.get())
		panic(v)
	}()
	err := call(a)
	returned = true
	if err != nil && !answered(err) {
		send(context.WithoutCancel(ctx), err, callsOf(err))
	}
	return err
}
