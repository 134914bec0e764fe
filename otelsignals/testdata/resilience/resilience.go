// Package resilience has errors called as those of the real package, which this
// module does not import.
package resilience

// RetryError is what a Retry gives up with.
type RetryError struct{ Err error }

func (e *RetryError) Error() string   { return "gave up: " + e.Err.Error() }
func (e *RetryError) Unwrap() []error { return []error{e.Err} }
