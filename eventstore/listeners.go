package eventstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"example.com/signals"
)

// listeners are the durable listeners of a Store.
type listeners struct {
	mu     sync.Mutex
	byKey  map[string]*Listener // those that have not ended; under mu
	failed map[string]error     // why the last one with the key ended, if it failed; under mu
	closed bool                 // under mu
}

func (ls *listeners) add(l *Listener) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return ErrClosed
	}
	if ls.byKey[l.key] != nil {
		return fmt.Errorf("the key has a listener in this store already: %w", signals.ErrKeyTaken)
	}
	if ls.byKey == nil {
		ls.byKey, ls.failed = map[string]*Listener{}, map[string]error{}
	}
	ls.byKey[l.key] = l
	delete(ls.failed, l.key)
	return nil
}

func (ls *listeners) remove(l *Listener) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.byKey[l.key] != l {
		return
	}
	delete(ls.byKey, l.key)
	if err := l.Err(); err != nil {
		ls.failed[l.key] = err
	}
}

// whyEnded returns why the key's last listener ended, if it failed: stopped is what
// its checkpoint says, or "". It is the error itself, if that was in this store.
func (ls *listeners) whyEnded(key, stopped string) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	err := ls.failed[key]
	switch {
	case stopped == "" && !endsListeners(err): // there was none, or somebody tries again
		return nil
	case err != nil && (stopped == "" || text(err) == stopped):
		return err
	}
	return errors.New(stopped)
}

func (ls *listeners) get(key string) *Listener {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.byKey[key]
}

// all returns them by key.
func (ls *listeners) all() []*Listener {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.SortedFunc(maps.Values(ls.byKey), func(a, b *Listener) int { return strings.Compare(a.key, b.key) })
}

// close lets no further one in, stops all, and waits for them until ctx ends.
func (ls *listeners) close(ctx context.Context) error {
	all := ls.all()
	for _, l := range all {
		if l.within(ctx) {
			return fmt.Errorf("listener %q: %w", l.key, signals.ErrWouldDeadlock)
		}
	}
	ls.mu.Lock()
	ls.closed = true
	ls.mu.Unlock()
	all = ls.all()
	for _, l := range all {
		l.stop()
	}
	var left []string
	for _, l := range all {
		if l.Stop(ctx) != nil {
			left = append(left, fmt.Sprintf("%q", l.key))
		}
	}
	if left != nil {
		return fmt.Errorf("%w: in a call: %s", ctx.Err(), strings.Join(left, ", "))
	}
	return nil
}

// Listeners returns the stats of the durable listeners of this Store that have
// not ended, by key. Checkpoints tells of those of other processes too.
func (s *Store) Listeners() []ListenerStats {
	var out []ListenerStats
	for _, l := range s.listeners.all() {
		out = append(out, l.Stats())
	}
	return out
}

// Checkpoints returns where the durable listeners with these keys stand, of
// whatever process, whether they run or not; all if none is given. It is by
// key, and leaves out unknown ones.
func (s *Store) Checkpoints(ctx context.Context, keys ...string) ([]Checkpoint, error) {
	ctx = orBackground(ctx)
	if err := s.ready(ctx); err != nil {
		return nil, failed("checkpoints", err)
	}
	b, ok := s.backend.(Checkpoints)
	if !ok {
		return nil, failed("checkpoints", ErrUnsupported)
	}
	out, err := b.Keys(ctx, keys...)
	if err != nil {
		return nil, failed("checkpoints", err)
	}
	return out, nil
}

// DeleteCheckpoint forgets the key, with its dead letters: a Listen with it
// begins anew. A key that has a listener in this Store, or is unknown, is an
// error. One that works in another process ends with an error.
func (s *Store) DeleteCheckpoint(ctx context.Context, key string) error {
	op := fmt.Sprintf("delete checkpoint %q", key)
	ctx = orBackground(ctx)
	b, err := s.checkpoints(ctx, key)
	if err == nil && s.listeners.get(key) != nil {
		err = errors.New("it has a listener in this store: stop it first")
	}
	if err == nil {
		err = b.DeleteKey(ctx, key)
	}
	if err != nil {
		return failed(op, err)
	}
	return nil
}
