package resilience

import (
	"time"

	"example.com/signals"
)

// CircuitOption configures a Circuit.
type CircuitOption func(*circuitConfig)

type circuitConfig struct {
	name      string
	threshold uint32
	rate      float64
	window    time.Duration
	minCalls  uint32
	openFor   time.Duration
	halfOpen  uint32
	failureIf func(error) bool
	changes   signals.Signal[StateChange]
}

// CircuitName names the circuit in errors and state changes.
func CircuitName(name string) CircuitOption {
	return func(c *circuitConfig) { c.name = name }
}

// FailureThreshold opens the circuit after n failures in a row.
func FailureThreshold(n int) CircuitOption {
	need(n > 0, "FailureThreshold(%d): want 1 or more", n)
	return func(c *circuitConfig) { c.threshold, c.rate, c.window = uint32(n), 0, 0 }
}

// FailureRate opens the circuit when that part of the calls of the last window,
// 0 to 1, has failed, once there were at least minCalls. It replaces
// FailureThreshold. The window moves on by tenths.
func FailureRate(rate float64, window time.Duration, minCalls int) CircuitOption {
	need(rate > 0 && rate <= 1, "FailureRate(%v): want more than 0, at most 1", rate)
	need(window >= 10, "FailureRate over %v: want a positive duration", window)
	need(minCalls > 0, "FailureRate of %d calls: want 1 or more", minCalls)
	return func(c *circuitConfig) { c.rate, c.window, c.minCalls = rate, window, uint32(minCalls) }
}

// OpenFor sets how long the circuit stays open before it lets trials through.
func OpenFor(d time.Duration) CircuitOption {
	need(d > 0, "OpenFor(%v): want a positive duration", d)
	return func(c *circuitConfig) { c.openFor = d }
}

// HalfOpenCalls sets how many trials a half-open circuit lets through, all of
// which must succeed to close it.
func HalfOpenCalls(n int) CircuitOption {
	need(n > 0, "HalfOpenCalls(%d): want 1 or more", n)
	return func(c *circuitConfig) { c.halfOpen = uint32(n) }
}

// FailureIf counts as failures only errors for which failure returns true; the
// others are answers of something that works, such as a declined card. Panics always count.
func FailureIf(failure func(error) bool) CircuitOption {
	need(failure != nil, "FailureIf(nil): give a function or leave the option out")
	return func(c *circuitConfig) { c.failureIf = failure }
}

// StateChangesTo emits changes of state on a signal of yours, sync or async,
// on a bus or not.
func StateChangesTo(sig signals.Signal[StateChange]) CircuitOption {
	need(sig != nil, "StateChangesTo(nil): give a signal or leave the option out")
	return func(c *circuitConfig) { c.changes = sig }
}
