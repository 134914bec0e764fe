package signals

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"example.com/signals/internal/engine"
	"example.com/signals/internal/source"
)

// Topic returns the async signal of that name, which it makes if there is
// none; opts are for making it. It panics if the name belongs to a signal of
// another payload type or kind, or if there is one already that opts
// contradict: what they say must be so, but they need not say all. An Observe
// or Around would not be used, and so contradicts. On a closed bus the signal is closed.
func Topic[T any](b *Bus, name string, opts ...Option) *AsyncSignal[T] {
	return (*AsyncSignal[T])(b.topic(KindAsync, name, (*T)(nil), opts, func(st *settings) member {
		s := new(AsyncSignal[T])
		s.first.Store(s.b.equip(st, (*engine.Slot[T])(nil), 1)[0])
		return member{st, &s.b, unsafe.Pointer(s)}
	}))
}

// SyncTopic is Topic for a sync signal. On a closed bus it works as before.
func SyncTopic[T any](b *Bus, name string, opts ...Option) *SyncSignal[T] {
	return (*SyncSignal[T])(b.topic(KindSync, name, (*T)(nil), opts, func(st *settings) member {
		s := new(SyncSignal[T])
		s.b.init(st)
		return member{st, &s.b, unsafe.Pointer(s)}
	}))
}

// topic is Topic: it returns the signal of that name, which build makes if
// there is none.
func (b *Bus) topic(kind Kind, name string, ops any, opts []Option, build func(*settings) member) unsafe.Pointer {
	call := map[Kind]string{KindSync: "SyncTopic", KindAsync: "Topic"}[kind]
	if b == nil {
		panic(fmt.Sprintf("signals: %s %q: the bus is nil", call, name))
	}
	of := engine.TypeOf(ops)
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := b.byName[name]; at != nil {
		m := at.Value.(member)
		if m.st.kind != kind || m.st.of != of {
			panic(fmt.Sprintf("signals: %s %q wants %s %s signal of %s; the bus has %s %s signal of %s by that name",
				call, name, article(string(kind)), kind, of, article(string(m.st.kind)), m.st.kind, m.st.payload))
		}
		if len(opts) > 0 {
			m.st.agree(call, name, append(slices.Clip(opts), Name(name), OnBus(b)))
		}
		return m.self
	}
	st := newSettings(kind, ops, append(slices.Clone(opts), Name(name), OnBus(b))).made()
	m := build(st)
	b.joinLocked(m)
	return m.self
}

// agree panics if options contradict those that the signal was made with.
func (st *settings) agree(call, name string, opts []Option) {
	var c config
	c.apply(opts)
	if st.kind == KindSync && c.asyncOnly != "" {
		c.wrong("%s is an option of async signals", c.asyncOnly)
	}
	if c.fault != "" {
		panic(fmt.Sprintf("signals: %s %q: %s", call, name, c.fault))
	}
	if at := c.contradicts(&st.config); at != nil {
		var here source.Callers
		here.Here(1)
		panic(fmt.Sprintf("signals: %s %q at %s contradicts the options that the signal was made with at %s: %s; give them where it is made, or the same here",
			call, name, here.Site(0), st.info().Site, strings.Join(at, ", ")))
	}
}

// contradicts says what c gives and is not so in the options in force.
func (c *config) contradicts(in *config) (what []string) {
	differ := func(option string, given, same bool) {
		if given && !same {
			what = append(what, option)
		}
	}
	differ("OnFailure", c.onFailure != nil, sameFunc(c.onFailure, in.onFailure))
	differ("Logger", c.logger != nil, c.logger == in.logger)
	differ("Observe", len(c.observers) > 0, false)
	differ("Around", len(c.around) > 0, false)
	differ("InitialCapacity", c.initialCap > 0, c.initialCap == in.initialCap)
	differ("Growth", c.growth != nil, sameFunc(c.growth, in.growth))
	if c.capacity > 0 && (c.capacity != in.capacity || c.overflow != in.overflow) {
		what = append(what, fmt.Sprintf("Capacity(%d, %v) where there is %s", c.capacity, c.overflow, in.bound()))
	}
	if c.maxWorkers > 0 && c.maxWorkers != in.maxWorkers {
		what = append(what, fmt.Sprintf("MaxWorkers(%d) where there is %s", c.maxWorkers, orNone(in.maxWorkers)))
	}
	if c.retain > 0 && c.retain != in.retain {
		what = append(what, fmt.Sprintf("Retain(%d) where there is %s", c.retain, orNone(in.retain)))
	}
	if c.slowAfter > 0 && c.slowAfter != in.slowAfter {
		what = append(what, fmt.Sprintf("SlowAfter(%v) where there is %s", c.slowAfter, orNone(in.slowAfter)))
	}
	return what
}

func (c *config) bound() string {
	if c.capacity == 0 {
		return "none"
	}
	return fmt.Sprintf("(%d, %v)", c.capacity, c.overflow)
}

func orNone[N comparable](n N) string {
	if n == *new(N) {
		return "none"
	}
	return fmt.Sprint(n)
}

// sameFunc reports whether two functions have the same code. What they have
// captured nobody can compare.
func sameFunc(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }

// Lookup returns the signal of that name, of whatever kind, if there is one
// with that payload type.
func Lookup[T any](b *Bus, name string) (Signal[T], bool) {
	kind, self := b.lookup(name, (*T)(nil))
	switch kind {
	case KindSync:
		return (*SyncSignal[T])(self), true
	case KindAsync:
		return (*AsyncSignal[T])(self), true
	case KindSharded:
		return (*ShardedSignal[T])(self), true
	}
	return nil, false
}

// lookup returns the kind of the signal of that name and payload type, and the
// signal.
func (b *Bus) lookup(name string, ops any) (Kind, unsafe.Pointer) {
	of := engine.TypeOf(ops)
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := b.byName[name]; at != nil {
		if m := at.Value.(member); m.st.of == of {
			return m.st.kind, m.self
		}
	}
	return "", nil
}
