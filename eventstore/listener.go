package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals"
)

// Listener is a durable listener at work. Store.Listen makes one. Its methods
// may be called by any number of goroutines at once.
type Listener struct {
	listenConfig
	store *Store
	key   string
	query Query
	fn    func(ctx context.Context, tx any, r Recorded) error
	keys  Checkpoints
	sub   *signals.Subscription // on Store.listening

	stopping context.Context // ends when it is to end after the call under way
	stop     context.CancelFunc
	hard     context.Context // ends when that has taken too long: of its calls, and of what it asks the backend
	giveUp   context.CancelFunc
	done     chan struct{}
	poke     chan struct{} // wakes the worker; holds one
	changed  atomic.Bool   // the key may have dead letters to be redelivered
	runner   runner        // calls fn
	before   int           // calls with the dead letter that is tried again; written by the worker while runner rests

	mu    sync.Mutex
	state listenerState // under mu
	waits map[*positionWait]struct{}
}

// listenerState is what a listener tells of itself.
type listenerState struct {
	at       Position // it has finished everything up to here
	head     Position // of the store, as last seen
	idle     bool     // it has nothing to do: what comes and does not concern it has passed
	standby  bool
	ended    bool
	dead     int // dead letters
	handled  uint64
	failures uint64
	failing  failing
	rate     meter
	err      error // why it ended, or the last thing that went wrong
	stopped  bool  // err is why it ended
}

// failing is the event that a listener is failing with.
type failing struct {
	position    Position
	attempts    int
	first, last time.Time
	err         error
}

// positionWait is somebody who waits for a listener to come to a position.
type positionWait struct {
	p       Position
	changed chan struct{} // closed when it has, or when it stands by or ends; with the wait taken out
}

// Listen calls fn with the events that match q, one after another, in order,
// those that are there and those that come, whoever appends them. It returns
// when the key has its checkpoint: a new key begins at the start, or where an
// option says; one that has been used goes on where it was. fn is called again
// with an event only if it failed, or if the process ended, or lost its
// database, before the checkpoint was written: at least once, so make it
// repeatable (by Recorded.ID), or use the backend's Project. Each listener goes
// at its own pace, and holds up neither appends nor others.
//
// The context of fn has no values of the append. It ends when Stop or Close gives up
// waiting, and when another process may have taken the key over.
//
// A key must not be used twice at once in a Store: that is an error. Another
// Store over the same data, of another process, may Listen with the same
// key: one works, the others stand by and take over when it ends. A failure, a
// panic and a Goexit of fn are counted, go to the failure handler of the
// store's bus or are logged, and are tried again: see Backoff, Attempts and
// StopOnFailure.
//
// On the store's bus, and in the inspector, it is the listener with its key of
// the signal NAME.listeners, of Delivery.
//
// It needs a backend with Checkpoints, else the error is ErrUnsupported.
func (s *Store) Listen(key string, q Query, fn func(ctx context.Context, r Recorded) error, opts ...ListenOption) (*Listener, error) {
	l, err := s.newListener(key, q, fn, opts)
	if err != nil {
		return nil, failed(fmt.Sprintf("listen %q", key), err)
	}
	return l, nil
}

func (s *Store) newListener(key string, q Query, fn func(context.Context, Recorded) error, opts []ListenOption) (*Listener, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if err := q.Err(); err != nil {
		return nil, err
	}
	c, err := listenOptions(opts)
	if err != nil {
		return nil, err
	}
	if (fn == nil) == (c.apply == nil) {
		return nil, errors.New("want a function, or the option InTransaction")
	}
	keys, ok := s.backend.(Checkpoints)
	if !ok {
		return nil, fmt.Errorf("durable listeners: %w", ErrUnsupported)
	}
	l := &Listener{
		listenConfig: c, store: s, key: key, query: s.expand(q), fn: c.apply, keys: keys,
		done: make(chan struct{}), poke: make(chan struct{}, 1), waits: map[*positionWait]struct{}{},
	}
	if fn != nil {
		l.fn = func(ctx context.Context, _ any, r Recorded) error { return fn(ctx, r) }
	}
	l.stopping, l.stop = context.WithCancel(context.Background())
	l.hard, l.giveUp = context.WithCancel(context.Background())
	if err := s.listeners.add(l); err != nil {
		return nil, err
	}
	if err := l.open(); err != nil {
		s.listeners.remove(l)
		return nil, err
	}
	l.sub = s.listening.Subscribe(l.delivered, signals.Key(key), signals.Filter(func(d Delivery) bool { return d.Key == key }))
	go l.work()
	return l, nil
}

func checkKey(key string) error {
	if key == "" {
		return errors.New("the key is empty")
	}
	return checkName("key", key)
}

// open makes the key's checkpoint, if there is none.
func (l *Listener) open() error {
	ctx := l.stopping // Close ends it
	if l.apply != nil {
		// No checkpoint is there, so this moves nothing; it tells whether
		// there are transactions.
		nowhere := Move{Key: l.key, From: math.MaxInt64, To: math.MaxInt64}
		err := l.keys.Advance(ctx, nowhere, func(context.Context, any) error { return nil })
		if errors.Is(err, ErrUnsupported) {
			return err
		}
	}
	if l.rebuildOf != "" {
		if _, err := l.store.checkpoint(ctx, l.keys, l.rebuildOf); err != nil {
			return fmt.Errorf("RebuildOf: %w", err)
		}
	}
	there, err := l.keys.Keys(ctx, l.key)
	if err != nil {
		return err
	}
	start := Position(0)
	if len(there) == 0 && l.from != nil {
		if start, err = l.from(ctx, l.store.backend); err != nil {
			return err
		}
	}
	c, err := l.keys.OpenKey(ctx, l.key, start)
	if err != nil {
		return err
	}
	l.state.at, l.state.dead, l.state.standby = c.Position, c.Dead, true
	if c.Stopped == "" || foundForeign(c) {
		return nil
	}
	// This is another try. Whoever waits for the key from now on must not be
	// told of the last one.
	err = l.keys.Advance(ctx, c.stay(""), nil)
	if errors.Is(err, ErrMoved) {
		return nil // another one is at it
	}
	return err
}

// Key returns the listener's key.
func (l *Listener) Key() string { return l.key }

// Done is closed when the listener has ended: it was stopped, or it failed.
func (l *Listener) Done() <-chan struct{} { return l.done }

// Err returns why the listener has ended; nil while it works, and after Stop or
// Close.
func (l *Listener) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.stopped {
		return l.state.err
	}
	return nil
}

// Stop ends the listener. It waits for the call under way and for its
// checkpoint; what was finished is not called again. If ctx ends first, the
// context of that call is cancelled, Stop returns ctx.Err(), and the listener
// ends when the call returns. Called by the listener itself it cannot wait: it
// returns signals.ErrWouldDeadlock, and the listener ends after that call. It
// may be called again.
func (l *Listener) Stop(ctx context.Context) error {
	ctx = orBackground(ctx)
	l.stop()
	if l.within(ctx) {
		return failed(fmt.Sprintf("stop %q", l.key), signals.ErrWouldDeadlock)
	}
	select {
	case <-l.done:
		return nil
	default:
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		l.giveUp()
		return failed(fmt.Sprintf("stop %q", l.key), ctx.Err())
	}
}

// within reports whether the caller is in a call of the listener.
func (l *Listener) within(ctx context.Context) bool {
	c, _ := ctx.Value(callKey{}).(*call)
	return c != nil && c.l == l || l.runner.here()
}

// end is the last thing that a listener's worker does.
func (l *Listener) end(err error) {
	l.stop()
	l.giveUp()
	l.sub.Unsubscribe()
	l.mu.Lock()
	l.state.ended, l.state.idle, l.state.standby = true, false, false
	l.state.err, l.state.stopped = err, err != nil
	l.wakeLocked(func(*positionWait) bool { return true })
	l.mu.Unlock()
	l.store.listeners.remove(l)
	close(l.done)
}

// wakeLocked ends the waits that are meant.
func (l *Listener) wakeLocked(which func(*positionWait) bool) {
	for w := range l.waits {
		if which(w) {
			delete(l.waits, w)
			close(w.changed)
		}
	}
}

// reached notes that everything up to p is finished, handled events of it by
// calls that succeeded.
func (l *Listener) reached(p Position, handled int) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.at = max(l.state.at, p)
	l.state.handled += uint64(handled)
	l.state.rate.add(now, handled)
	if l.state.failing.position <= p {
		l.state.failing = failing{}
	}
	if len(l.waits) > 0 {
		l.wakeLocked(func(w *positionWait) bool { return w.p <= l.state.at })
	}
}

// update changes the state.
func (l *Listener) update(change func(*listenerState)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.state)
}

// wake lets the worker look up.
func (l *Listener) wake() {
	select {
	case l.poke <- struct{}{}:
	default:
	}
}
