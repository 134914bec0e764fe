package signals

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// Option configures a signal when it is made (New, NewSync, NewSharded, Topic)
// or, for a signal held by value, by its Init. NewBus takes options as the
// defaults of the signals on that bus.
type Option func(*config)

// config is what the options of one signal say. It is written while the
// signal is made and only read afterwards.
type config struct {
	name       string
	bus        *Bus
	onFailure  func(context.Context, Failure)
	logger     *slog.Logger
	observers  []Observer
	around     []func(context.Context, *ListenerInfo, func(context.Context) error) error
	counted    bool
	initialCap int
	growth     func(int) int
	capacity   int
	overflow   Overflow
	maxWorkers int
	retain     int
	slowAfter  time.Duration
	asyncOnly  string // an option seen that only async signals have
	fault      string // what makes no sense, the first of it; told where there is a signal to name
}

// configure applies the bus's defaults, then opts, and panics on what makes
// no sense for that kind of signal.
func configure(kind Kind, payload string, opts []Option) config {
	var c config
	if b := busOf(opts); b != nil {
		c.apply(b.defaults)
		if kind == KindSync { // defaults serve signals of every kind
			c.capacity, c.overflow, c.maxWorkers, c.retain, c.asyncOnly = 0, Block, 0, 0, ""
		}
	}
	c.apply(opts)
	if kind == KindSync && c.asyncOnly != "" {
		c.wrong("%s is an option of async signals", c.asyncOnly)
	}
	if c.fault != "" {
		name := c.name
		if name == "" {
			name = payload
		}
		panic(fmt.Sprintf("signals: %s signal %q: %s", kind, name, c.fault))
	}
	return c
}

// busOf returns the bus that opts name, or nil.
func busOf(opts []Option) *Bus {
	var c config
	c.apply(opts)
	return c.bus
}

func (c *config) apply(opts []Option) {
	for _, o := range opts {
		if o == nil {
			c.wrong("an Option is nil; leave it out")
			continue
		}
		o(c)
	}
}

// wrong notes what makes no sense.
func (c *config) wrong(format string, args ...any) {
	if c.fault == "" {
		c.fault = fmt.Sprintf(format, args...)
	}
}

// wrongOption is an option that makes no sense, whatever the signal.
func wrongOption(format string, args ...any) Option {
	return func(c *config) { c.wrong(format, args...) }
}

// Name names the signal in errors, logs, stats and on its bus. Without it a
// signal is called by its payload type and the site of its first registration.
func Name(name string) Option {
	if name == "" {
		return wrongOption(`Name(""): give a name or leave the option out`)
	}
	return func(c *config) {
		if c.name != "" && c.name != name {
			c.wrong("two names for one signal: %q and %q", c.name, name)
		}
		c.name = name
	}
}

// OnBus makes the signal a member of b: found there by its name, drained,
// closed, observed and counted with it. The bus's defaults apply first. A name
// that is taken on b panics.
func OnBus(b *Bus) Option {
	if b == nil {
		return wrongOption("OnBus(nil): give a bus or leave the option out")
	}
	return func(c *config) {
		if c.bus != nil && c.bus != b {
			c.wrong("OnBus twice: a signal is on one bus only")
		}
		c.bus = b
	}
}

// OnFailure sets the handler of the signal's failures and of its refused
// emissions. It runs on the goroutine that ran the listener, before that
// listener's next call, and may emit, also on a signal of Failure. Without a
// handler, the bus's applies; without that, failures are logged with slog at
// level Error. A handler that panics is logged.
func OnFailure(handler func(context.Context, Failure)) Option {
	if handler == nil {
		return wrongOption("OnFailure(nil): give a handler or leave the option out; failures are logged without one")
	}
	return func(c *config) { c.onFailure = handler }
}

// Logger sets where the signal logs; slog.Default() without it.
func Logger(l *slog.Logger) Option {
	if l == nil {
		return wrongOption("Logger(nil): give a logger or leave the option out")
	}
	return func(c *config) { c.logger = l }
}

// Observe attaches an observer to the signal for as long as it lives. Several
// may be given; they are called in that order. An observed signal is counted.
func Observe(o Observer) Option {
	return func(c *config) { c.observers = append(c.observers, o) }
}

// Around wraps every call of every listener of the signal, or as a default of a
// bus those of all its signals: a transaction, a timeout, labels for a profile.
// Several may be given; the first is the outermost, those of the bus around
// those of the signal. wrap gets what it is to call: next calls the listener with
// the context that it is given, and returns what came of it, a panic as a
// *PanicError. What wrap returns is what came of the call: an error, with or
// without a call of next, is a failure of the listener, nil without one is a
// delivery. Nil stands for the context that wrap got. A second call of next, and one
// after wrap has returned, only returns an error; one that wrap has begun on another
// goroutine and not waited for is waited for: to end a call, end its context. One that
// has not begun when wrap returns never does, so `go next(ctx)` alone may call nobody.
// Where next ends its goroutine with runtime.Goexit, the call has failed with ErrGoexit.
// To a wrap outside of it, one is as the listener. If wrap returns an
// error after a Step has succeeded, the Undo of that runs at once, whatever a wrap
// outside of it makes of the error. It is called for what passes Filter, around the
// bodies of Events and batches too.
func Around(wrap func(ctx context.Context, l *ListenerInfo, next func(context.Context) error) error) Option {
	if wrap == nil {
		return wrongOption("Around(nil): give a function or leave the option out")
	}
	return func(c *config) { c.around = append(c.around, wrap) }
}

// Counted makes the signal count emissions and deliveries and sample listener
// durations, as signals on a bus do anyway.
func Counted() Option {
	return func(c *config) { c.counted = true }
}

// InitialCapacity makes room for n listeners at the first registration.
func InitialCapacity(n int) Option {
	if n < 0 {
		return wrongOption("InitialCapacity(%d): want 0 or more", n)
	}
	return func(c *config) { c.initialCap = n }
}

// Growth sets how the listener slice grows: policy gets its capacity and
// returns the next one, which must be larger. The default goes through primes
// (7, 17, 37, ... 87,719) and then doubles.
func Growth(policy func(currentCap int) int) Option {
	if policy == nil {
		return wrongOption("Growth(nil): give a policy or leave the option out")
	}
	return func(c *config) { c.growth = policy }
}

// Overflow says what happens to an emission on a signal at its Capacity.
type Overflow int

const (
	// Block lets the emission wait, first come first served, until there is
	// room, its context ends, or the signal is closed. On a goroutine that is
	// running a listener of any async signal it never waits: the emission is
	// admitted above the bound and counted in Stats.OverCapacity.
	Block Overflow = iota
	// Reject refuses the emission at once with ErrOverflow. Who tries again
	// must wait, or at least call runtime.Gosched: goroutines that try on and
	// on leave no processor to the workers.
	Reject
)

// String returns the name of the policy.
func (o Overflow) String() string {
	switch o {
	case Block:
		return "Block"
	case Reject:
		return "Reject"
	}
	return fmt.Sprintf("Overflow(%d)", int(o))
}

// Capacity bounds the number of pending emissions of an async signal (of each
// shard of a sharded one). Without it there is no bound.
func Capacity(n int, whenFull Overflow) Option {
	if n < 1 {
		return wrongOption("Capacity(%d): want 1 or more", n)
	}
	if whenFull != Block && whenFull != Reject {
		return wrongOption("Capacity(%d, %d): want Block or Reject", n, whenFull)
	}
	return func(c *config) { c.capacity, c.overflow, c.asyncOnly = n, whenFull, "Capacity" }
}

// MaxWorkers bounds the number of goroutines that run listeners of an async
// signal at the same time (of all shards of a sharded one). Without it there
// are as many as there are listeners with work. Under the bound a worker
// leaves a listener after at most one chunk of emissions when others wait, but
// n blocked calls make the other listeners wait.
func MaxWorkers(n int) Option {
	if n < 1 {
		return wrongOption("MaxWorkers(%d): want 1 or more", n)
	}
	return func(c *config) { c.maxWorkers, c.asyncOnly = n, "MaxWorkers" }
}

// SlowAfter logs one warning for each call of a listener that runs longer than
// d, while it is still running. The warning names the signal, the listener's
// function, the file and line of its registration, how long it has run, and
// its lag. It arms a timer while the signal has work, and costs two readings
// of the clock a call (sync: an emission).
func SlowAfter(d time.Duration) Option {
	if d <= 0 {
		return wrongOption("SlowAfter(%v): want a positive duration", d)
	}
	d = min(d, math.MaxInt64/4) // so that a time twice d ahead can be told; that is 73 years
	return func(c *config) { c.slowAfter = d }
}

// ListenerOption configures one registration.
type ListenerOption func(*listenerConfig)

// listenerConfig is what the options of one registration say.
type listenerConfig struct {
	key         string
	once        bool
	filters     []any // func(T) bool of the signal's T, checked at registration
	priority    int
	until       []context.Context
	scope       *Scope
	concurrency int
	cancellable bool
	fromNow     bool
	maxBatch    int
	maxLag      int
	lagPolicy   LagPolicy
	asyncOnly   string
	fault       string // what makes no sense, the first of it; told where there is a signal to name
}

// wrong notes what makes no sense.
func (c *listenerConfig) wrong(format string, args ...any) {
	if c.fault == "" {
		c.fault = fmt.Sprintf(format, args...)
	}
}

// wrongListenerOption is an option that makes no sense, whatever the signal.
func wrongListenerOption(format string, args ...any) ListenerOption {
	return func(c *listenerConfig) { c.wrong(format, args...) }
}

// Key names the listener: unique among those of its signal, and usable with
// RemoveListener and HasKey.
func Key(key string) ListenerOption {
	if key == "" {
		return wrongListenerOption(`Key(""): give a key or leave the option out`)
	}
	return func(c *listenerConfig) {
		if c.key != "" {
			c.wrong("two keys for one listener: %q and %q", c.key, key)
		}
		c.key = key
	}
}

// Once removes the listener before its first call: there is at most one call
// ever, whichever goroutines emit. Only an emission that passes the listener's
// Filter counts.
func Once() ListenerOption { return func(c *listenerConfig) { c.once = true } }

// Filter calls the listener only for payloads for which pass returns true. A
// panic in pass is a failure of the listener. Several filters must all pass.
func Filter[T any](pass func(T) bool) ListenerOption {
	if pass == nil {
		return wrongListenerOption("Filter(nil): give a function or leave the option out")
	}
	return func(c *listenerConfig) { c.filters = append(c.filters, pass) }
}

// Priority orders the listeners of a signal: higher first, ties in
// registration order, 0 without it. On an async signal it is only the order in
// which workers pick listeners that have work.
func Priority(p int) ListenerOption { return func(c *listenerConfig) { c.priority = p } }

// Until removes the listener when ctx ends; once it has ended no call starts.
func Until(ctx context.Context) ListenerOption {
	return func(c *listenerConfig) {
		if ctx != nil {
			c.until = append(c.until, ctx)
		}
	}
}

// In makes the registration part of a scope: scope.Close removes it.
func In(scope *Scope) ListenerOption {
	if scope == nil {
		return wrongListenerOption("In(nil): give a scope or leave the option out")
	}
	return func(c *listenerConfig) {
		if c.scope != nil && c.scope != scope {
			c.wrong("In twice: a registration is in one scope only")
		}
		c.scope = scope
	}
}

// Concurrency lets up to n calls of an async listener run at the same time.
// They start in order of acceptance. With 1, the default, each call happens
// before the next.
func Concurrency(n int) ListenerOption {
	if n < 1 {
		return wrongListenerOption("Concurrency(%d): want 1 or more", n)
	}
	return func(c *listenerConfig) { c.concurrency, c.asyncOnly = n, "Concurrency" }
}

// LagPolicy says which waiting emissions a listener at its MaxLag keeps.
type LagPolicy int

const (
	// DropOldest keeps the newest n.
	DropOldest LagPolicy = iota
	// KeepLatest drops all but the newest one.
	KeepLatest
)

// MaxLag bounds the number of emissions that wait for an async listener (on
// each shard of a sharded signal). At more than n, emissions are dropped for
// this listener alone, by policy, and counted. The call under way is not among
// those that wait; emissions that its Filter will turn away are.
func MaxLag(n int, policy LagPolicy) ListenerOption {
	if n < 1 {
		return wrongListenerOption("MaxLag(%d): want 1 or more", n)
	}
	if policy != DropOldest && policy != KeepLatest {
		return wrongListenerOption("MaxLag(%d, %d): want DropOldest or KeepLatest", n, policy)
	}
	return func(c *listenerConfig) { c.maxLag, c.lagPolicy, c.asyncOnly = n, policy, "MaxLag" }
}
