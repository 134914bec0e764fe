package signalstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/signals"
)

// patience is how long a wait lasts whose context has no deadline.
const patience = 30 * time.Second

// A Recorder holds the payloads that came from one signal, in the order in
// which they came. Make one with [Record].
//
// Wait and WaitFor end the test when they fail, so they must be called from
// the goroutine of the test, like [testing.TB.FailNow]. The other methods
// mark it as failed and go on, and may be called from anywhere.
type Recorder[T any] struct {
	tb  testing.TB
	src signals.Source[T]

	mu   sync.Mutex
	got  []T           // guarded by mu; only ever appended to
	more chan struct{} // guarded by mu; closed by the next payload, nil while nobody waits
}

// Record subscribes to src and records every payload until tb ends. A signal
// that is closed already ends the test.
func Record[T any](tb testing.TB, src signals.Source[T]) *Recorder[T] {
	tb.Helper()
	r := &Recorder[T]{tb: tb, src: src}
	sub, err := src.TrySubscribe(func(_ context.Context, payload T) error {
		r.add(payload)
		return nil
	})
	if err != nil {
		tb.Fatalf("signalstest: nothing to record: %v", err) // names the signal
	}
	tb.Cleanup(sub.Unsubscribe)
	return r
}

// name begins a message with the name that the signal was given. One without a
// name is called by the line of the test that the message has anyway.
func (r *Recorder[T]) name() string {
	s, ok := r.src.(interface{ Stats() signals.SignalStats })
	if !ok {
		return ""
	}
	info := s.Stats().SignalInfo
	if info.Name == "" || strings.HasPrefix(info.Name, info.Payload+"@") {
		return ""
	}
	return fmt.Sprintf("%q: ", info.Name)
}

func (r *Recorder[T]) add(payload T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, payload)
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
}

// Got returns a copy of everything that has come so far.
func (r *Recorder[T]) Got() []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// after returns what has come beyond the first n payloads, and a channel that
// the next payload closes.
func (r *Recorder[T]) after(n int) ([]T, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.more == nil {
		r.more = make(chan struct{})
	}
	return slices.Clone(r.got[n:]), r.more
}

// Wait waits until n payloads have come since Record and returns the first n.
// If ctx ends before that, the test fails with a list of what came instead.
func (r *Recorder[T]) Wait(ctx context.Context, n int) []T {
	r.tb.Helper()
	if n <= 0 {
		return nil
	}
	got, why := r.waitFor(ctx, func(got []T) bool { return len(got) == n })
	if why != "" {
		r.tb.Fatalf("signalstest: %s%d of %d payloads had come when %s:%s", r.name(), len(got), n, why, list(got))
	}
	return got
}

// WaitFor waits until cond is true of what has come since Record, and returns
// that. It asks cond about the first payload, about the first two, and so on, once
// each and never about none: the result is the shortest beginning that
// satisfies cond, however many payloads came together. If ctx ends first,
// the test fails with a list of what came instead.
//
// No lock is held while cond runs. It is asked again only when another payload
// has come, so it should depend on nothing but its argument, and not modify it.
func (r *Recorder[T]) WaitFor(ctx context.Context, cond func(got []T) bool) []T {
	r.tb.Helper()
	got, why := r.waitFor(ctx, cond)
	if why != "" {
		r.tb.Fatalf("signalstest: %snone of %d payloads had met the condition when %s:%s", r.name(), len(got), why, list(got))
	}
	return got
}

// waitFor returns what satisfied cond, or else everything that came and why it
// stopped waiting.
func (r *Recorder[T]) waitFor(ctx context.Context, cond func(got []T) bool) (got []T, why string) {
	if ctx == nil {
		ctx = context.Background()
	}
	var expired <-chan time.Time // never, if ctx has a deadline
	if _, ok := ctx.Deadline(); !ok {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		expired = timer.C
	}
	for {
		fresh, more := r.after(len(got))
		for _, payload := range fresh {
			got = append(got, payload)
			if cond(slices.Clip(got)) {
				return got, ""
			}
		}
		if why != "" { // what came in the last moment was looked at
			return got, why
		}
		select {
		case <-more:
		case <-ctx.Done():
			why = fmt.Sprintf("the context ended (%v)", context.Cause(ctx))
		case <-expired:
			why = fmt.Sprintf("%v were over (the context has no deadline)", patience)
		}
	}
}

// Ordered reports an error, with the differences, unless exactly the wanted
// payloads have come so far, in that order. They are compared with
// [reflect.DeepEqual]. Ordered() wants nothing to have come.
func (r *Recorder[T]) Ordered(want ...T) {
	r.tb.Helper()
	if diff := diffOrdered(r.Got(), want); diff != "" {
		r.tb.Errorf("signalstest: %s%s", r.name(), diff)
	}
}

// Unordered reports an error, with the differences, unless exactly the wanted
// payloads have come so far, in whatever order: a payload wanted twice must
// have come twice. They are compared with [reflect.DeepEqual].
func (r *Recorder[T]) Unordered(want ...T) {
	r.tb.Helper()
	if diff := diffUnordered(r.Got(), want); diff != "" {
		r.tb.Errorf("signalstest: %s%s", r.name(), diff)
	}
}

// Quiet waits for d and reports an error, at once, if a payload comes in the
// meantime. What came before does not count.
func (r *Recorder[T]) Quiet(d time.Duration) {
	r.tb.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	before, more := r.after(0)
	select {
	case <-more:
	case <-timer.C:
	}
	if came, _ := r.after(len(before)); len(came) > 0 {
		r.tb.Errorf("signalstest: %snot quiet for %v: %s came:%s", r.name(), d, count(len(came)), list(came))
	}
}
