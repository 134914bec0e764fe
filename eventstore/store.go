package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"example.com/signals"
)

// Store appends events to a Backend, reads and follows them. Make one with New.
// All methods may be called by any number of goroutines at once.
type Store struct {
	config
	backend   Backend
	persisted *signals.SyncSignal[Recorded]
	tail      tail
	listening *signals.SyncSignal[Delivery] // its listeners are the durable ones, under their keys
	listeners listeners
	closeOnce sync.Once
	done      chan struct{} // closed by Close

	snapshotTaken *signals.AsyncSignal[Snapshot]
	survivors     sync.Map    // types of states that have been seen to survive a snapshot
	keysTaken     atomic.Bool // ExportKeys has been called: Export need not warn
}

// Option configures a Store.
type Option func(*config)

// config is what the options of a Store say. It does not change.
type config struct {
	name   string
	bus    *signals.Bus
	logger *slog.Logger
	types  *Registry // nil: none; sealed
}

// Name names the store in errors of its signals, on its bus and in the
// inspector: "NAME.persisted", "NAME.listeners" and "NAME.snapshot_taken".
// Without it, it is "eventstore".
func Name(name string) Option {
	if name == "" {
		panic(`eventstore: Name(""): give a name or leave the option out`)
	}
	return func(c *config) { c.name = name }
}

// OnBus makes the store's signals members of b, until Close.
func OnBus(b *signals.Bus) Option {
	if b == nil {
		panic("eventstore: OnBus(nil): give a bus or leave the option out")
	}
	return func(c *config) { c.bus = b }
}

// Logger sets where the store and its signals log; slog.Default() without it.
func Logger(l *slog.Logger) Option {
	if l == nil {
		panic("eventstore: Logger(nil): give a logger or leave the option out")
	}
	return func(c *config) { c.logger = l }
}

// New makes a Store over a backend, which stays the caller's: close it after
// the Store. Several Stores may share one backend. A name that is taken on the
// bus panics.
func New(b Backend, opts ...Option) *Store {
	if b == nil {
		panic("eventstore: New: the Backend is nil")
	}
	s := &Store{config: config{name: "eventstore"}, backend: b, done: make(chan struct{})}
	for _, o := range opts {
		if o == nil {
			panic("eventstore: New: an Option is nil; leave it out")
		}
		o(&s.config)
	}
	s.tail.backend = b
	s.persisted = signals.NewSync[Recorded](s.signalOptions("persisted")...)
	s.listening = signals.NewSync[Delivery](s.signalOptions("listeners")...)
	s.snapshotTaken = signals.New[Snapshot](s.signalOptions("snapshot_taken")...)
	return s
}

func (c *config) signalOptions(what string) []signals.Option {
	opts := []signals.Option{signals.Name(c.name + "." + what)}
	if c.bus != nil {
		opts = append(opts, signals.OnBus(c.bus))
	}
	if c.logger != nil {
		opts = append(opts, signals.Logger(c.logger))
	}
	return opts
}

// Name returns the name that the option Name gave, or "eventstore".
func (s *Store) Name() string { return s.name }

// Backend returns what the store was made over.
func (s *Store) Backend() Backend { return s.backend }

// Persisted is emitted for each event that Append of this Store has stored, in
// the goroutine that appends, after the commit and before Append returns, with
// the values of its context but not its end. Every listener is called for
// every event; what fails is in Append's *PersistedError and goes to no
// failure handler. Listeners may append. Appends of several goroutines emit
// side by side, not in the order of positions.
//
// It is not emitted for a retry that found its events stored, nor for appends
// in a transaction of the caller, nor after a crash between commit and
// emission: durable listeners see them all.
func (s *Store) Persisted() *signals.SyncSignal[Recorded] { return s.persisted }

// Head returns the position of the last event, 0 if there is none.
func (s *Store) Head(ctx context.Context) (Position, error) {
	ctx = orBackground(ctx)
	if err := s.ready(ctx); err != nil {
		return 0, failed("head", err)
	}
	head, err := s.backend.Head(ctx)
	if err != nil {
		return 0, failed("head", err)
	}
	return head, nil
}

// Identity returns what identifies the store's history: the same after
// reopening and in a copy, another one in a store that was made anew.
func (s *Store) Identity(ctx context.Context) (string, error) {
	ctx = orBackground(ctx)
	if err := s.ready(ctx); err != nil {
		return "", failed("identity", err)
	}
	id, err := s.backend.Identity(ctx)
	if err != nil {
		return "", failed("identity", err)
	}
	return id, nil
}

// Close stops the store's durable listeners, as Listener.Stop does, ends its
// followers with ErrClosed, takes its signals off the bus, and refuses further
// calls with ErrClosed. What is being appended is finished, and listeners of
// SnapshotTaken get what was emitted. If ctx ends while a durable listener is in
// a call, the context of that call is cancelled and Close returns ctx.Err() with
// the keys; the store is closed all the same, and the listener ends when the call
// returns. If ctx ends before those of SnapshotTaken are done, the error is that
// of ctx too. Called by a durable listener of the store it closes nothing and
// returns signals.ErrWouldDeadlock. It may be called again. The backend stays open.
func (s *Store) Close(ctx context.Context) error {
	ctx = orBackground(ctx)
	err := s.listeners.close(ctx)
	if !errors.Is(err, signals.ErrWouldDeadlock) {
		s.shut()
		err = errors.Join(err, s.snapshotTaken.Close(ctx))
	}
	if err != nil {
		return failed("close", err)
	}
	return nil
}

// shut ends everything but durable listeners.
func (s *Store) shut() {
	s.closeOnce.Do(func() {
		close(s.done)
		if s.bus != nil {
			s.bus.Remove(s.name + ".persisted")
			s.bus.Remove(s.name + ".listeners")
		}
	})
}

// log tells the Logger, or the default one. A Logger that panics does not end
// the program.
func (s *Store) log(level slog.Level, msg string, args ...any) {
	logger := s.logger
	if logger == nil {
		logger = slog.Default()
	}
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(os.Stderr, "eventstore: the Logger of %q panicked: %v; it was told: %s %v\n", s.name, v, msg, args)
		}
	}()
	logger.Log(context.Background(), level, msg, append([]any{"store", s.name}, args...)...)
}

// ready returns ErrClosed after Close, and the error of a context that has
// ended.
func (s *Store) ready(ctx context.Context) error {
	select {
	case <-s.done:
		return ErrClosed
	default:
		return ctx.Err()
	}
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}
