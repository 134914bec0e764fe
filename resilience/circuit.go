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
// closes, and at the first failure it opens again. A call counts for the state
// in which it began. No timer runs: that it has become half-open shows at the
// next call. Its methods may be called from any goroutine.
type Circuit struct {
	circuitConfig
	regime     atomic.Pointer[regime] // written under mu
	generation atomic.Uint64          // how often state or regime have changed; written under mu
	trying     atomic.Bool            // it is half-open; written under mu
	tally      tally

	queued atomic.Int32 // len(queue): saves taking mu at each call
	mu     sync.Mutex   // taken below a breaker's own lock, and a permit's
	queue  []StateChange
	busy   bool      // a goroutine is emitting from queue
	state  State     // as the last change made it
	since  time.Time // of that change
	trials []*permit // emissions let through while half-open
}

// regime is what decides in a circuit, until ForceOpen, ForceClosed or Reset
// put another one in its place. What earlier ones are told counts no more.
type regime struct {
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	forced  State // Open or Closed, whatever happens; then there is no breaker
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
	c := &Circuit{
		circuitConfig: circuitConfig{threshold: 5, openFor: time.Minute, halfOpen: 1},
		state:         Closed, since: time.Now(),
	}
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
	c.regime.Store(c.automatic())
	return c
}

// automatic makes the regime that decides by what comes of the calls.
func (c *Circuit) automatic() *regime {
	r := new(regime)
	r.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   c.halfOpen,
		Interval:      c.window,
		BucketPeriod:  c.window / 10,
		Timeout:       c.openFor,
		ReadyToTrip:   c.tooMany,
		IsExcluded:    func(err error) bool { return err == errIgnored }, //nolint:errorlint // our own mark, never wrapped
		OnStateChange: func(_ string, _, to gobreaker.State) { c.changed(r, State(to.String())) },
	})
	return r
}

// State returns the state that the circuit is in now.
func (c *Circuit) State() State {
	r := c.regime.Load()
	if r.forced != "" {
		return r.forced
	}
	s := r.breaker.State()
	if s == gobreaker.StateHalfOpen && c.reclaim() {
		s = r.breaker.State()
	}
	c.tell()
	return State(s.String())
}

// StateChanges is the signal of the changes of state, in their order: an async
// signal, unless StateChangesTo gave another one. Its listeners run without a
// lock and may use the circuit.
func (c *Circuit) StateChanges() signals.Source[StateChange] { return c.changes }

// ForceOpen opens the circuit and holds it open, whatever happens, until Reset
// or ForceClosed: all calls are refused, with an OpenError that is Forced.
func (c *Circuit) ForceOpen() { c.enforce(&regime{forced: Open}, Open) }

// ForceClosed closes the circuit and holds it closed, however many calls fail,
// until Reset or ForceOpen.
func (c *Circuit) ForceClosed() { c.enforce(&regime{forced: Closed}, Closed) }

// Reset closes the circuit, forced or not, and lets it decide anew: what came
// of earlier calls, those under way too, is forgotten. Stats keeps its totals.
func (c *Circuit) Reset() { c.enforce(c.automatic(), Closed) }

func (c *Circuit) enforce(r *regime, s State) {
	c.mu.Lock()
	c.regime.Store(r)
	c.becomeLocked(s)
	c.mu.Unlock()
	c.tell()
}

// tooMany decides, after a failure, whether the circuit opens. It is called
// with the breaker's lock held.
func (c *Circuit) tooMany(n gobreaker.Counts) bool {
	if c.rate == 0 {
		return n.ConsecutiveFailures >= c.threshold
	}
	calls := n.TotalSuccesses + n.TotalFailures // Requests has those under way as well
	return calls >= c.minCalls && float64(n.TotalFailures) >= c.rate*float64(calls)
}

// changed notes a change of state by a regime, unless there is another one. It
// is called with the breaker's lock held.
func (c *Circuit) changed(r *regime, to State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.regime.Load() == r {
		c.becomeLocked(to)
	}
}

// becomeLocked must be called with mu held.
func (c *Circuit) becomeLocked(s State) {
	c.generation.Add(1)
	c.trying.Store(s == HalfOpen)
	c.trials = nil
	if s == c.state {
		return
	}
	change := StateChange{c.name, c.state, s, time.Now()}
	c.state, c.since = s, change.At
	if s == Open {
		c.tally.opened.Add(1)
	}
	c.queue = append(c.queue, change)
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

// allow asks for a call whose outcome must be told to done, once.
func (c *Circuit) allow() (done func(error), refused *OpenError) {
	r := c.regime.Load()
	switch r.forced {
	case Open:
		return nil, c.refusal(&OpenError{State: Open, Forced: true})
	case Closed:
		return func(error) {}, nil
	}
	done, err := r.breaker.Allow()
	if errors.Is(err, gobreaker.ErrTooManyRequests) && c.reclaim() {
		done, err = r.breaker.Allow()
	}
	c.tell()
	switch {
	case err == nil:
		return done, nil
	case errors.Is(err, gobreaker.ErrOpenState):
		return nil, c.refusal(&OpenError{State: Open})
	}
	return nil, c.refusal(&OpenError{State: HalfOpen})
}

func (c *Circuit) refusal(e *OpenError) *OpenError {
	c.tally.refusals.Add(1)
	e.Circuit = c.name
	if e.State == Open && !e.Forced {
		c.mu.Lock()
		e.RetryAfter = max(0, c.openFor-time.Since(c.since))
		c.mu.Unlock()
	}
	return e
}
