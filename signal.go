package signals

import "context"

// Signal is a typed event source: emit on it, or listen to it. *SyncSignal,
// *AsyncSignal and *ShardedSignal implement it, and so may wrappers. All
// methods may be called from any goroutine, also from inside a listener.
type Signal[T any] interface {
	// Emit hands payload to every listener. See the implementations for when
	// it returns. Failures of listeners go to the failure handler.
	Emit(ctx context.Context, payload T)

	// AddListener registers fn, under a key if one is given. It returns the
	// number of listeners, or -1 if the key is taken (nothing is added then).
	// A nil fn, or a second key, panics.
	AddListener(fn func(context.Context, T), key ...string) int

	// AddListenerWithErr is AddListener for a listener that can fail.
	AddListenerWithErr(fn func(context.Context, T) error, key ...string) int

	// Subscribe registers fn and returns the handle of this registration. It
	// panics on a nil fn, a taken key, and options that make no sense.
	Subscribe(fn func(context.Context, T) error, opts ...ListenerOption) *Subscription

	// TrySubscribe is Subscribe, but returns ErrKeyTaken for a taken key and
	// ErrClosed for a closed signal or scope.
	TrySubscribe(fn func(context.Context, T) error, opts ...ListenerOption) (*Subscription, error)

	// RemoveListener removes the listener with that key. It returns the
	// number of listeners left, or -1 for an unknown or empty key.
	RemoveListener(key string) int

	// Reset removes all listeners.
	Reset()

	// Len returns the number of listeners.
	Len() int

	// IsEmpty reports whether there are no listeners.
	IsEmpty() bool

	// Keys returns the keys of the listeners that have one, in calling order.
	Keys() []string

	// HasKey reports whether a listener has that key.
	HasKey(key string) bool
}

// Source is the side of a signal that listens: what a package hands out when
// others may listen but not emit.
type Source[T any] interface {
	Subscribe(fn func(context.Context, T) error, opts ...ListenerOption) *Subscription
	TrySubscribe(fn func(context.Context, T) error, opts ...ListenerOption) (*Subscription, error)
}

// SignalListener is a listener that cannot fail.
type SignalListener[T any] = func(context.Context, T)

// SignalListenerErr is a listener that can fail.
type SignalListenerErr[T any] = func(context.Context, T) error

var (
	_ Signal[int] = (*SyncSignal[int])(nil)
	_ Signal[int] = (*AsyncSignal[int])(nil)
	_ Signal[int] = (*ShardedSignal[int])(nil)
	_ Source[int] = Signal[int](nil)
)
