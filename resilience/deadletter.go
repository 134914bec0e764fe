package resilience

import (
	"context"
	"runtime/debug"

	"example.com/signals"
)

// Letter is what DeadLetter emits: a payload that a listener failed to handle.
type Letter[T any] struct {
	Payload  T
	Err      error // what the last attempt came to: its error, a *signals.PanicError, or signals.ErrGoexit
	Attempts int   // calls of the listener, those of a Retry within included
}

// DeadLetter emits on dead what fn failed to handle, by an error, a panic or
// runtime.Goexit. Around Retry that is after the last attempt. The failure goes
// on: it is returned, and counted by the signal as without DeadLetter. If dead
// refuses the letter, its failure handler gets it.
func DeadLetter[T any](fn func(context.Context, T) error, dead signals.Signal[Letter[T]]) func(context.Context, T) error {
	need(fn != nil, "DeadLetter: the listener is nil")
	need(dead != nil, "DeadLetter: the signal is nil")
	return func(ctx context.Context, payload T) error {
		a := &attempts{Context: ctx}
		send := func(err error) {
			dead.Emit(ctx, Letter[T]{payload, err, 1 + int(a.again.Load())})
		}
		returned := false
		defer func() {
			if returned {
				return
			}
			v := recover()
			if v == nil {
				send(signals.ErrGoexit)
				return
			}
			send(&signals.PanicError{Value: v, Stack: debug.Stack()})
			panic(v)
		}()
		err := fn(a, payload)
		returned = true
		if err != nil {
			send(err)
		}
		return err
	}
}
