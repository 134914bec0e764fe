package signals

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// Scope is a group of registrations that end together, such as those of a
// plugin: register with In(&scope), and Close removes them all. The zero value
// is ready. It must not be copied.
type Scope struct {
	mu      sync.Mutex
	subs    map[*Subscription]struct{} // registered; under mu
	leaving map[*Subscription]struct{} // removed, with a call in flight when last looked at; under mu
	looked  int                        // how many were in leaving then; under mu
	closed  bool                       // under mu
}

// Len returns the number of registrations in the scope.
func (s *Scope) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.subs)
}

// Close removes every registration of the scope, on whatever signals, and
// waits until none of their calls is in flight or ctx ends. Listeners that are
// registered in the scope from then on are never called. It may be called
// again, to wait on. Inside one of the scope's async listeners it removes them
// all and returns ErrWouldDeadlock instead of waiting for that one. Calls of
// sync listeners, which run in their emitters, are not waited for.
func (s *Scope) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	subs := slices.AppendSeq(slices.Collect(maps.Keys(s.subs)), maps.Keys(s.leaving))
	s.mu.Unlock()
	s.removeAll(subs)
	var errs []error
	for _, sub := range subs {
		if sub.reg.busy() { // also if somebody else has just removed it
			errs = append(errs, sub.Wait(ctx))
		}
	}
	return errors.Join(errs...)
}

// together is from how many on registrations on one signal are removed together:
// one by one costs a copy of a part of the list, all at once one of all of it.
const together = 64

// removeAll ends registrations; each comes back with forget.
func (s *Scope) removeAll(subs []*Subscription) {
	on := make(map[*base]int)
	for _, sub := range subs {
		if e, ok := sub.reg.(*entry); ok {
			on[e.b]++
		}
	}
	for b, n := range on {
		if n >= together {
			leave(b.removeAll(func(e *entry) bool { return e.scope == s }))
		}
	}
	for _, sub := range subs {
		sub.Unsubscribe() // also one that is not in its list yet
	}
}

func (s *Scope) isClosed() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// adopt takes a registration into the scope, if it is open.
func (s *Scope) adopt(sub *Subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.subs == nil {
		s.subs = make(map[*Subscription]struct{})
		s.leaving = make(map[*Subscription]struct{})
	}
	s.subs[sub] = struct{}{}
	return true
}

// forget is told that a registration has been removed. While a call of it is
// in flight Close must still wait for it.
func (s *Scope) forget(sub *Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.subs[sub]; !ok {
		return
	}
	delete(s.subs, sub)
	if sub.reg.busy() {
		s.leaving[sub] = struct{}{}
	}
	if len(s.leaving) > 2*s.looked+8 {
		maps.DeleteFunc(s.leaving, func(sub *Subscription, _ struct{}) bool { return !sub.reg.busy() })
		s.looked = len(s.leaving)
	}
}
