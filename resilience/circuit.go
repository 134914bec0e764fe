package resilience

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"example.com/signals"
)

// Circuit is the state machine of a circuit breaker, shared by whatever goes
// through to the same place: listeners in Breaker, and a CircuitBreaker signal.
//
// While it is closed calls go through and are counted. After too many failures
// it opens and refuses all calls. When it has been open for a while it is
// half-open: the next calls go through as trials. If they all succeed it
// closes, and at the first failure it opens again. No timer runs: that it has become
// half-open shows at the next call.
type Circuit struct {
	circuitConfig
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]

	queued atomic.Int32 // len(queue): saves taking mu at each call
	mu     sync.Mutex   // taken below the breaker's own lock
	queue  []StateChange
	busy   bool      // a goroutine is emitting from queue
	since  time.Time // the last change, or the last batch of trials let through by admit
	trials uint32    // emissions let through by admit since then
}

// State is the state of a circuit.
type State string

// The states of a circuit.
const (
	Closed   State = "closed"
	HalfOpen State = "half-open"
	Open     State = "open"
)

// StateChange is what a circuit emits when its state has changed.
type StateChange struct {
	Circuit  string // its name, or ""
	From, To State
	At       time.Time
}

// NewCircuit makes a circuit. It opens after 5 failures in a row and stays
// open for 60 s; one successful call closes it again.
func NewCircuit(opts ...CircuitOption) *Circuit {
	c := &Circuit{circuitConfig: circuitConfig{threshold: 5, openFor: time.Minute, halfOpen: 1}}
	for _, o := range opts {
		o(&c.circuitConfig)
	}
	if c.changes == nil {
		name := "circuit"
		if c.name != "" {
			name += " " + c.name
		}
		c.changes = signals.New[StateChange](signals.Name(name))
	}
	c.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   c.halfOpen,
		Interval:      c.window,
		BucketPeriod:  c.window / 10,
		Timeout:       c.openFor,
		ReadyToTrip:   c.tooMany,
		IsExcluded:    func(err error) bool { return err == errIgnored }, //nolint:errorlint // our own mark, never wrapped
		OnStateChange: c.changed,
	})
	return c
}

// State returns the state that the circuit is in now.
func (c *Circuit) State() State {
	s := c.breaker.State()
	c.tell()
	return State(s.String())
}

// StateChanges is the signal of the changes of state, in their order: an async
// signal, unless StateChangesTo gave another one. Its listeners run without a
// lock and may use the circuit.
func (c *Circuit) StateChanges() signals.Source[StateChange] { return c.changes }

// tooMany decides, after a failure, whether the circuit opens. It is called
// with the breaker's lock held.
func (c *Circuit) tooMany(n gobreaker.Counts) bool {
	if c.rate == 0 {
		return n.ConsecutiveFailures >= c.threshold
	}
	calls := n.TotalSuccesses + n.TotalFailures // Requests has those under way as well
	return calls >= c.minCalls && float64(n.TotalFailures) >= c.rate*float64(calls)
}

// changed notes a change of state. It is called with the breaker's lock held.
func (c *Circuit) changed(_ string, from, to gobreaker.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since, c.trials = time.Now(), 0
	c.queue = append(c.queue, StateChange{c.name, State(from.String()), State(to.String()), c.since})
	c.queued.Add(1)
}

// tell emits the changes that have been noted, in order, with no lock held. A
// change that comes meanwhile, from a listener or from another goroutine, is
// emitted by whoever is at it.
func (c *Circuit) tell() {
	for c.queued.Load() > 0 {
		change, ok := c.next()
		if !ok {
			return
		}
		func() {
			defer c.told()
			c.changes.Emit(context.Background(), change)
		}()
	}
}

func (c *Circuit) next() (change StateChange, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy || len(c.queue) == 0 {
		return change, false
	}
	change, c.queue, c.busy = c.queue[0], c.queue[1:], true
	c.queued.Add(-1)
	return change, true
}

func (c *Circuit) told() {
	c.mu.Lock()
	c.busy = false
	c.mu.Unlock()
}

var (
	errIgnored   = errors.New("ignored")   // counts neither as success nor as failure
	errUnwinding = errors.New("unwinding") // a panic or runtime.Goexit
)

// allow asks for a call whose outcome must be told to done, once.
func (c *Circuit) allow() (done func(error), err error) {
	done, err = c.breaker.Allow()
	c.tell()
	switch {
	case err == nil:
		return done, nil
	case errors.Is(err, gobreaker.ErrOpenState):
		return nil, c.refusal(Open)
	}
	return nil, c.refusal(HalfOpen)
}

func (c *Circuit) refusal(s State) error {
	e := &OpenError{Circuit: c.name, State: s}
	if s == Open {
		c.mu.Lock()
		e.RetryAfter = max(0, c.openFor-time.Since(c.since))
		c.mu.Unlock()
	}
	return e
}

// outcome says what the error of a call is to the circuit: nil for a success.
func (c *Circuit) outcome(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled) && errors.Is(ctx.Err(), context.Canceled):
		return errIgnored // the caller gave up
	case c.failureIf != nil && !panicked(err) && !c.failureIf(err):
		return nil
	}
	return err
}

func panicked(err error) bool {
	_, ok := errors.AsType[*signals.PanicError](err)
	return ok
}
