package signals

import "context"

// Refuse reports an emission that did not reach the signal, because a wrapper
// around it, such as a rate limiter, turned it away: what happens to a refused
// Emit happens to it. It is counted, and a Failure without a listener goes to the
// failure handler with err as its reason. It is for wrappers; it emits nothing.
func (s *SyncSignal[T]) Refuse(ctx context.Context, payload T, err error) {
	s.settle(KindSync).refused.Add(1)
	s.refuse(orBackground(ctx), payload, err)
}

// Refuse reports an emission that did not reach the signal, because a wrapper
// around it, such as a rate limiter, turned it away: what happens to a refused
// Emit happens to it. It is counted, and a Failure without a listener goes to the
// failure handler with err as its reason. It is for wrappers; it emits nothing.
func (s *asyncBase[T]) Refuse(ctx context.Context, payload T, err error) {
	s.all()
	s.conf.Load().refused.Add(1)
	s.refuse(orBackground(ctx), payload, err)
}
