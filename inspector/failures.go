package inspector

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/signals"
)

const (
	perSecond = 100 // failures that are kept of one second; more are only counted
	maxError  = 4 << 10
	maxStack  = 16 << 10
)

// failureLog keeps the last failures.
type failureLog struct {
	keep int // read only

	mu     sync.Mutex
	total  uint64
	last   []Failure // a ring once it is full
	next   int       // where the next one goes then
	second int64     // the second under way
	taken  int       // of it
}

// failed is an Observer's Failure.
func (i *Inspector) failed(_ context.Context, f signals.Failure) {
	now := time.Now()
	number, ok := i.failures.admit(now)
	if !ok {
		return
	}
	e := Failure{Number: number, Time: now, Signal: f.Signal, Key: f.Key, Function: f.Listener, Site: f.Site, Error: cut(f.Err.Error(), maxError)}
	if p, ok := errors.AsType[*signals.PanicError](f.Err); ok {
		e.Panic, e.Stack = true, cut(panicStack(p.Stack), maxStack)
	}
	if i.tails != nil && (len(i.only) == 0 || slices.Contains(i.only, f.Signal)) {
		e.Payload = describe(f.Payload)
	}
	i.failures.add(e)
}

// admit counts a failure and reports whether to keep it.
func (l *failureLog) admit(now time.Time) (number uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if s := now.Unix(); s != l.second {
		l.second, l.taken = s, 0
	}
	l.taken++
	return l.total, l.taken <= perSecond
}

func (l *failureLog) add(f Failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.last) < l.keep {
		l.last = append(l.last, f)
		return
	}
	l.last[l.next] = f
	l.next = (l.next + 1) % l.keep
}

// list returns the failures of a signal, or of all, newest first.
func (l *failureLog) list(signal string, limit int, payloads bool) FailureLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := FailureLog{Total: l.total, Failures: []Failure{}}
	for k := range l.last {
		f := l.last[(l.next+len(l.last)-1-k)%len(l.last)]
		if signal != "" && f.Signal != signal {
			continue
		}
		if !payloads {
			f.Payload = ""
		}
		if out.Failures = append(out.Failures, f); len(out.Failures) == limit {
			break
		}
	}
	return out
}

// panicStack leaves out how the panic was caught: what is above the line that
// says panic.
func panicStack(stack []byte) string {
	s := string(stack)
	head, _, _ := strings.Cut(s, "\n")
	if i := strings.LastIndex(s, "\npanic("); i >= 0 {
		return head + s[i:]
	}
	return s
}

// cut shortens a text to about n bytes.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + " ..."
}
