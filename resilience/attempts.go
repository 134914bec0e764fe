package resilience

import (
	"context"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"

	"example.com/signals"
)

// attempts is the context of a call in DeadLetter. A Retry within notes there
// how many calls there were when a panic or runtime.Goexit ends them; else its
// error says so.
type attempts struct {
	context.Context
	n atomic.Int32
}

type attemptsKey struct{}

func (a *attempts) Value(key any) any {
	if _, ok := key.(attemptsKey); ok {
		return a
	}
	return a.Context.Value(key)
}

// set and get do nothing without a DeadLetter around; get is at least 1, the
// call that is unwinding.
func (a *attempts) set(n int) {
	if a != nil {
		a.n.Store(int32(n)) //nolint:gosec // a count of calls
	}
}

func (a *attempts) get() int {
	if a == nil {
		return 1
	}
	return max(1, int(a.n.Load()))
}

// attemptsIn returns those of the DeadLetter that stands around the Retry which
// calls this, or nil. The context alone does not tell: a listener in DeadLetter that emits
// on another signal hands its own to the listeners there. So it looks whether
// that is on the stack in between; only a failure pays for this.
func attemptsIn(ctx context.Context) *attempts {
	a, _ := ctx.Value(attemptsKey{}).(*attempts)
	if a == nil {
		return nil
	}
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		switch {
		case strings.HasPrefix(f.Function, here+"DeadLetter"):
			return a
		case strings.HasPrefix(f.Function, core+"Identify["): // around every wrapper
		case strings.HasPrefix(f.Function, core), !more:
			return nil
		}
	}
}

// The packages' import paths, as they stand in names of functions.
var (
	here = packageOf(Permanent)
	core = packageOf(signals.BucketBound)
)

func packageOf(fn any) string {
	name := runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
	return name[:strings.LastIndexByte(name, '.')+1]
}
