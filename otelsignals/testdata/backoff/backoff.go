// Package backoff has an error called as those of the package that resilience takes
// its Permanent from.
package backoff

type permanent struct{ err error }

// Permanent marks err.
func Permanent(err error) error { return &permanent{err} }

func (e *permanent) Error() string { return e.err.Error() }
func (e *permanent) Unwrap() error { return e.err }
