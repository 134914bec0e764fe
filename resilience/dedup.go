package resilience

import (
	"container/list"
	"context"
	"sync"
	"time"

	"example.com/signals"
)

// Dedup calls fn once for each key: a payload whose key it knows is skipped, and
// counts as handled. It knows the last size keys that were handled, those
// that came again counting as new, and those that are under way. The key of a
// call that failed, or vetoed, is forgotten, so that the payload may come again; so is a
// handled one when its TTL is over. A payload that comes while the first of its
// key is still under way is skipped as well: a failure of that one is reported
// as its own, and a Retry within is what calls again.
//
// A key that is not equal to itself, such as a NaN, is never known: fn is
// called each time.
func Dedup[T any, K comparable](fn func(context.Context, T) error, key func(T) K, size int, opts ...DedupOption) func(context.Context, T) error {
	need(fn != nil, "Dedup: the listener is nil")
	need(key != nil, "Dedup: the key function is nil")
	need(size > 0, "Dedup(%d): want room for 1 key or more", size)
	s := &seen[K]{size: size, at: make(map[K]*place[K])}
	for _, o := range opts {
		o(&s.dedupConfig)
	}
	return signals.Identify(func(ctx context.Context, payload T) error {
		k := key(payload)
		if k != k { // a NaN: a map would keep it for ever and never find it
			return fn(ctx, payload)
		}
		p := s.begin(k)
		if p == nil {
			return nil
		}
		handled := false
		defer func() { s.end(p, handled) }()
		err := fn(ctx, payload)
		handled = err == nil || skips(err)
		return err
	}, fn)
}

// DedupOption configures Dedup.
type DedupOption func(*dedupConfig)

type dedupConfig struct{ ttl time.Duration }

// TTL forgets a key when d has gone by since it was handled.
func TTL(d time.Duration) DedupOption {
	need(d > 0, "TTL(%v): want a positive duration", d)
	return func(c *dedupConfig) { c.ttl = d }
}

// seen is the keys that are known. Any goroutine may use it.
type seen[K comparable] struct {
	dedupConfig
	size int

	mu    sync.Mutex
	order list.List // of *place[K] that were handled, the latest first; under mu
	at    map[K]*place[K]
}

// place is what is known of a key.
type place[K comparable] struct {
	key     K
	element *list.Element // in order; nil while the call is under way
	handled time.Time     // if there is a TTL
}

// begin returns the place of a new key, or nil for one that is known, which
// becomes the latest.
func (s *seen[K]) begin(key K) *place[K] {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch p := s.at[key]; {
	case p == nil:
	case p.element == nil:
		return nil // under way
	case s.ttl > 0 && time.Since(p.handled) >= s.ttl:
		s.order.Remove(p.element)
	default:
		s.order.MoveToFront(p.element)
		return nil
	}
	p := &place[K]{key: key}
	s.at[key] = p
	return p
}

// end remembers a key whose call has succeeded, and forgets another one.
func (s *seen[K]) end(p *place[K], handled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !handled {
		delete(s.at, p.key)
		return
	}
	if s.ttl > 0 {
		p.handled = time.Now()
	}
	if s.order.Len() == s.size {
		oldest := s.order.Remove(s.order.Back()).(*place[K])
		delete(s.at, oldest.key)
	}
	p.element = s.order.PushFront(p)
}
