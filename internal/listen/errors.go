package listen

import "errors"

// The errors that callers compare with errors.Is; the root documents them.
var (
	ErrClosed        = errors.New("signal is closed")
	ErrOverflow      = errors.New("signal is at capacity")
	ErrKeyTaken      = errors.New("key is taken")
	ErrDropped       = errors.New("emission was dropped for a listener")
	ErrGoexit        = errors.New("listener called runtime.Goexit")
	ErrWouldDeadlock = errors.New("would wait for the listener that is calling")
)
