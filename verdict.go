package signals

import (
	"errors"

	"example.com/signals/internal/listen"
)

// Veto makes an expected no of err: a card that was declined, a rule that
// forbids. A listener that returns it has not failed. TryEmit stops, undoes and
// returns it all the same, EmitWait and TryEmitAll return it; but it is counted
// as a veto (SignalStats.Vetoes), goes to no failure handler and to no Failure of
// an Observer. errors.Is and errors.As reach err. Veto(nil) is nil.
func Veto(err error) error {
	if err == nil {
		return nil
	}
	return &vetoError{err}
}

// IsVeto reports whether err is a veto and nothing else: it wraps one or, where
// errors are joined, every one of them does. A panic with a veto is a panic, and
// a failure joined to a veto makes it a failure. IsVeto(nil) is false.
func IsVeto(err error) bool {
	return isOnly(err, func(e error) bool {
		_, ok := e.(*vetoError) //nolint:errorlint // isOnly unwraps
		return ok
	})
}

// SkipRest is returned by a listener of a SyncSignal that the others need not be
// called after: those behind it are not, nothing is undone, nothing has failed,
// and TryEmit returns nil. A Step that returns it has completed. On async
// signals it is the same as nil. It may be wrapped; joined with a failure it is
// the failure.
var SkipRest = errors.New("skip the rest of the listeners") //nolint:errname,revive,staticcheck // no failure, like fs.SkipDir

// vetoError is a Veto.
type vetoError struct{ err error }

func (e *vetoError) Error() string { return textOf(e.err) }
func (e *vetoError) Unwrap() error { return e.err }

// Skips reports whether err is SkipRest. It is of listen.Listener.
func (e *entry) Skips(err error) bool {
	return err == SkipRest || isOnly(err, func(e error) bool { return e == SkipRest }) //nolint:errorlint // isOnly unwraps
}

// isOnly reports whether err, what it wraps, or all that are joined in it are
// what leaf says. A panic and the error of an Undo are what they are, whatever
// they wrap. Foreign errors may panic.
func isOnly(err error, leaf func(error) bool) (only bool) {
	defer func() {
		if recover() != nil {
			only = false
		}
	}()
	for err != nil {
		if leaf(err) {
			return true
		}
		switch e := err.(type) { //nolint:errorlint // this is the unwrapping
		case *PanicError, *listen.UndoError:
			return false
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			for _, one := range all {
				if !isOnly(one, leaf) {
					return false
				}
			}
			return len(all) > 0
		default:
			return false
		}
	}
	return false
}
