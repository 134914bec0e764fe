package signals

import (
	"fmt"
	"math"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// settings are what a signal is made with, and what it counts. They are
// shared by the shards of a sharded signal.
type settings struct {
	config              // read only
	kind    Kind        // read only
	payload string      // read only: the payload type's name
	ofFail  bool        // read only: the payload is Failure
	id      uint32      // read only: marks the goroutines that run its listeners
	own     *staged     // read only: the signal's observers
	origin  [6]uintptr  // read only: where the signal was made, if by a constructor
	onBus   atomic.Bool // false once the signal has left its bus
	watched atomic.Bool // somebody observes or taps emissions; written under bus.mu

	first     atomic.Pointer[[6]uintptr] // where the first listener was registered
	infoPtr   atomic.Pointer[SignalInfo] // made when first asked for after first is known
	taps      atomic.Pointer[[]*tapFunc] // sync signals: the bus's taps
	failed    atomic.Uint64              // failures, panics among them
	panics    atomic.Uint64              //
	emitted   *counter                   // sync signals, if they count: emissions
	delivered *counter                   // the same: calls
	refused   atomic.Uint64              // emissions that a wrapper turned away: Refuse
	quiet     struct {                   // the default handler's limit for refusals
		mu    sync.Mutex
		since time.Time // when the last one was logged
		n     int       // refused and not logged since
	}
}

var lastID atomic.Uint32

// payloadType is what the settings must know of a payload type.
type payloadType struct {
	name    string
	failure bool // it is Failure
}

func payloadOf[T any]() payloadType {
	_, failure := any((*T)(nil)).(*Failure)
	return payloadType{typeName[T](), failure}
}

// newSettings makes the settings of a signal. Here and elsewhere, what can do
// without the payload type is not generic: the rest is compiled for each type
// in each package that uses it.
func newSettings(kind Kind, payload payloadType, opts []Option) *settings {
	c := configure(kind, payload.name, opts)
	st := &settings{config: c, kind: kind, payload: payload.name, ofFail: payload.failure, id: lastID.Add(1), own: newStaged(c.observers)}
	st.onBus.Store(c.bus != nil)
	st.watch(false)
	if st.counts() && kind == KindSync {
		st.emitted, st.delivered = newCounter(), newCounter()
	}
	return st
}

// made notes the caller as the place where the signal was made.
func (st *settings) made() *settings {
	runtime.Callers(3, st.origin[:])
	return st
}

// sited notes where the first listener was registered.
func (st *settings) sited(pcs []uintptr) {
	if st.first.Load() == nil {
		st.first.CompareAndSwap(nil, (*[6]uintptr)(pcs))
	}
}

// counts reports whether the signal counts emissions and deliveries.
func (st *settings) counts() bool {
	return st.counted || st.bus != nil || len(st.observers) > 0
}

// slow reports whether emissions of a sync signal must always go the slow way.
func (st *settings) slow() bool {
	return st.slowAfter > 0 || len(st.own[emitting]) > 0 || len(st.own[delivering]) > 0
}

// watch notes whether the bus watches emissions.
func (st *settings) watch(bus bool) { st.watched.Store(bus || len(st.own[emitting]) > 0) }

// hooks returns the observers of a stage: the signal's and those of its bus.
func (st *settings) hooks(at stage) hooks {
	if st.bus == nil {
		return st.own[at]
	}
	return st.allHooks(at)
}

func (st *settings) allHooks(at stage) hooks {
	own := st.own[at]
	if !st.onBus.Load() {
		return own
	}
	all := st.bus.observers.Load()
	if all == nil {
		return own
	}
	shared := all[at]
	switch {
	case len(shared) == 0:
		return own
	case len(own) == 0:
		return shared
	}
	return append(slices.Clip(own), shared...)
}

// info describes the signal. Until the first registration the description of
// an unnamed one is provisional.
func (st *settings) info() *SignalInfo {
	if i := st.infoPtr.Load(); i != nil {
		return i
	}
	pcs := st.first.Load()
	if st.origin[0] != 0 {
		pcs = &st.origin
	}
	i := &SignalInfo{Name: st.name, Kind: st.kind, Payload: st.payload}
	if pcs != nil {
		i.Site = site(pcs[:])
	}
	if i.Name == "" {
		i.Name = st.payload
		if f := st.first.Load(); f != nil {
			i.Name += "@" + site(f[:])
		}
	}
	if st.name != "" || st.first.Load() != nil {
		st.infoPtr.CompareAndSwap(nil, i)
		return st.infoPtr.Load()
	}
	return i
}

// primes is the default growth of the listener slice, from the document that
// the project comes from. Primes have no magic: each about doubles the last,
// which is what makes appending cheap.
var primes = [...]int{7, 17, 37, 79, 163, 331, 673, 1361, 2729, 5471, 10949, 21911, 43853, 87719}

// grow returns the next capacity of the listener slice.
func (st *settings) grow(n int) int {
	if n == 0 && st.initialCap > 0 {
		return st.initialCap
	}
	if st.growth != nil {
		next := st.growth(n)
		if next <= n {
			panic(fmt.Sprintf("signals: the Growth policy of %q returned %d for %d; it must return more", st.info().Name, next, n))
		}
		return next
	}
	for _, p := range primes {
		if p > n {
			return p
		}
	}
	return 2 * n
}

// typeName returns the name of T, such as "shop.Order".
func typeName[T any]() string { return reflect.TypeFor[T]().String() }

// funcName returns the name of the function at entry pc without its
// directory, such as "shop.(*Stock).reserve".
func funcName(pc uintptr) string {
	f := runtime.FuncForPC(pc)
	if f == nil {
		return "unknown"
	}
	name := f.Name()
	// The directory ends at the last slash before any type argument.
	head := name
	if i := strings.IndexByte(name, '['); i >= 0 {
		head = name[:i]
	}
	if i := strings.LastIndexByte(head, '/'); i >= 0 {
		name = name[i+1:]
	}
	return strings.TrimSuffix(name, "-fm")
}

// self is this package's import path, which a rename of the module changes.
var self = reflect.TypeFor[Failure]().PkgPath() + "."

// site returns file:line of the first caller outside this package; its tests
// count as outside. Only the file's name and its folder are kept.
func site(pcs []uintptr) string {
	n := 0
	for n < len(pcs) && pcs[n] != 0 {
		n++
	}
	frames := runtime.CallersFrames(pcs[:n])
	for {
		f, more := frames.Next()
		inside := strings.HasPrefix(f.Function, self) && !strings.HasSuffix(f.File, "_test.go")
		if f.File != "" && f.File != "<autogenerated>" && !inside {
			dir, file := path.Split(f.File)
			return fmt.Sprintf("%s/%s:%d", path.Base(dir), file, f.Line)
		}
		if !more {
			return "unknown"
		}
	}
}

// monotonic is the time since the process began, which costs less room than a
// time.Time and never goes back.
func monotonic() time.Duration { return time.Since(started) }

var started = time.Now()

const never = time.Duration(math.MaxInt64)
