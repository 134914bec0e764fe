package resilience

import (
	"container/list"
	"context"
	"sync"
)

// Dedup calls fn once for each key: a payload whose key it knows is skipped, and
// counts as handled. It knows the last size keys that came; an older one is
// forgotten, and so is the key of a call that failed, so that the payload may
// come again. A payload that comes while the first of its key is still under
// way is skipped as well: a failure of that one is reported as its own, and a
// Retry within is what calls again.
func Dedup[T any, K comparable](fn func(context.Context, T) error, key func(T) K, size int) func(context.Context, T) error {
	need(fn != nil, "Dedup: the listener is nil")
	need(key != nil, "Dedup: the key function is nil")
	need(size > 0, "Dedup(%d): want room for 1 key or more", size)
	s := &seen[K]{size: size, at: make(map[K]*list.Element)}
	return func(ctx context.Context, payload T) error {
		k := s.add(key(payload))
		if k == nil {
			return nil
		}
		handled := false
		defer func() {
			if !handled {
				s.forget(k)
			}
		}()
		err := fn(ctx, payload)
		handled = err == nil
		return err
	}
}

// seen is the keys that came last. Any goroutine may use it.
type seen[K comparable] struct {
	size int

	mu    sync.Mutex
	order list.List // of K, the latest first; under mu
	at    map[K]*list.Element
}

// add returns the place of a new key, or nil for one that is known, which
// becomes the latest.
func (s *seen[K]) add(key K) *list.Element {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.at[key]; e != nil {
		s.order.MoveToFront(e)
		return nil
	}
	if s.order.Len() == s.size {
		s.removeLocked(s.order.Back())
	}
	e := s.order.PushFront(key)
	s.at[key] = e
	return e
}

// forget removes that place, unless it has been removed already; the key may
// have a later one.
func (s *seen[K]) forget(e *list.Element) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at[e.Value.(K)] == e {
		s.removeLocked(e)
	}
}

func (s *seen[K]) removeLocked(e *list.Element) {
	delete(s.at, e.Value.(K))
	s.order.Remove(e)
}
