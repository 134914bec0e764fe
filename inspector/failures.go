package inspector

import (
	"cmp"
	"context"
	"errors"
	"maps"
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
	maxGroups = 500
	maxTexts  = 4096 // texts whose group is remembered
)

// failureLog keeps the last failures, and counts all of them by who failed and
// with what message.
type failureLog struct {
	keep int // read only

	mu     sync.Mutex
	total  uint64
	last   []Failure // a ring once it is full
	next   int       // where the next one goes then
	second int64     // the second under way
	taken  int       // of it
	groups map[groupedBy]*FailureGroup
	keys   map[groupedBy]int           // groups with a key, by what they are without
	texts  map[groupedBy]*FailureGroup // the same by the texts themselves; begins anew when it is full
}

// groupedBy is what the failures of a group have in common: the listener, and
// the message but for its numbers.
type groupedBy struct {
	who
	message string
}

// ofAnyKey is the same without the key. Connections and the like, of which
// there are many, are one group beyond the first few.
func (g groupedBy) ofAnyKey() groupedBy {
	g.key = ""
	return g
}

// failed is an Observer's Failure. The methods of the error are foreign.
func (i *Inspector) failed(_ context.Context, f signals.Failure) {
	now := time.Now()
	text := cut(errorText(f.Err), maxError)
	w := who{f.Signal, f.Key, f.Listener, f.Site}
	i.recents.failed(w, now, text, reasonOf(f.Err))
	number, keep := i.failures.admit(now)
	e := Failure{Number: number, Time: now, Signal: f.Signal, Key: f.Key, Function: f.Listener, Site: f.Site, Error: text}
	if keep {
		if p := panicOf(f.Err); p != nil {
			e.Panic, e.Stack = true, cut(panicStack(p.Stack), maxStack)
		}
		if i.tails != nil && (len(i.only) == 0 || slices.Contains(i.only, f.Signal)) {
			e.Payload = i.redacted(f.Signal, f.Payload)
		}
	}
	i.failures.add(e, keep)
}

// panicOf returns the panic that an error is or wraps, or nil.
func panicOf(err error) (p *signals.PanicError) {
	defer func() { _ = recover() }()
	p, _ = errors.AsType[*signals.PanicError](err)
	return p
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

func (l *failureLog) add(f Failure, keep bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.group(&f)
	g.Count++
	g.Last = f.Time
	if !keep {
		return
	}
	g.Error, g.Panic, g.Stack, g.Payload, g.Number = f.Error, f.Panic, f.Stack, f.Payload, f.Number
	if len(l.last) < l.keep {
		l.last = append(l.last, f)
		return
	}
	l.last[l.next] = f
	l.next = (l.next + 1) % l.keep
}

// group returns the group of a failure. It must be called with l.mu held.
func (l *failureLog) group(f *Failure) *FailureGroup {
	by := groupedBy{who{f.Signal, f.Key, f.Function, f.Site}, f.Error}
	if g := l.texts[by]; g != nil {
		return g
	}
	text := by
	by.message = withoutNumbers(f.Error)
	g := l.groups[by]
	if any := by.ofAnyKey(); g == nil && f.Key != "" && l.keys[any] >= fewKeys {
		by = any
		g = l.groups[by]
	}
	if g == nil {
		if l.groups == nil {
			l.groups = make(map[groupedBy]*FailureGroup)
		}
		if len(l.groups) >= maxGroups {
			l.forget()
		}
		g = &FailureGroup{Failure: *f, First: f.Time}
		g.Key = by.key
		l.groups[by] = g
		if l.keys == nil {
			l.keys = make(map[groupedBy]int)
		}
		if by.key != "" {
			l.keys[by.ofAnyKey()]++
		}
	}
	if l.texts == nil || len(l.texts) >= maxTexts {
		l.texts = make(map[groupedBy]*FailureGroup)
	}
	l.texts[text] = g
	return g
}

// forget forgets the half of the groups that have not failed for longest. It
// must be called with l.mu held.
func (l *failureLog) forget() {
	var last []time.Time
	for _, g := range l.groups {
		last = append(last, g.Last)
	}
	slices.SortFunc(last, time.Time.Compare)
	limit := last[len(last)/2]
	n := 0
	for by, g := range l.groups {
		if n <= len(last)/2 && !g.Last.After(limit) {
			delete(l.groups, by)
			if by.key != "" {
				l.keys[by.ofAnyKey()]--
			}
			n++
		}
	}
	l.texts = nil
	maps.DeleteFunc(l.keys, func(_ groupedBy, n int) bool { return n <= 0 })
}

// withoutNumbers returns a message with # for each run of digits, so that those
// that differ in an id alone are one.
func withoutNumbers(s string) string {
	var b strings.Builder
	number := false
	for i := range len(s) {
		c := s[i]
		digit := c >= '0' && c <= '9'
		if digit && !number {
			b.WriteByte('#')
		} else if !digit {
			b.WriteByte(c)
		}
		number = digit
	}
	return b.String()
}

// list returns the failures that a query asks for, newest first, and their
// groups, the latest first.
func (l *failureLog) list(q query, payloads bool) FailureLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := FailureLog{Total: l.total, Failures: []Failure{}, Groups: []FailureGroup{}}
	words := strings.Fields(strings.ToLower(q.words))
	wanted := func(f *Failure) bool {
		if q.signal != "" && f.Signal != q.signal {
			return false
		}
		for _, w := range words {
			if !f.has(w) {
				return false
			}
		}
		return true
	}
	most := len(l.last)
	if q.limit > 0 {
		most = q.limit
	}
	for k := range l.last {
		f := l.last[(l.next+len(l.last)-1-k)%len(l.last)]
		if len(out.Failures) == most {
			break
		}
		if !wanted(&f) {
			continue
		}
		if !payloads {
			f.Payload = ""
		}
		out.Failures = append(out.Failures, f)
	}
	for _, g := range l.groups {
		if wanted(&g.Failure) {
			c := *g
			c.Time = c.Last
			if !payloads {
				c.Payload = ""
			}
			out.Groups = append(out.Groups, c)
		}
	}
	slices.SortFunc(out.Groups, func(a, b FailureGroup) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.Number, a.Number))
	})
	return out
}

// has reports whether a word, in small letters, is in what a failure says.
func (f *Failure) has(word string) bool {
	for _, s := range []string{f.Signal, f.Key, f.Function, f.Site, f.Error} {
		if strings.Contains(strings.ToLower(s), word) {
			return true
		}
	}
	return false
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
	s = strings.ToValidUTF8(s[:min(len(s), n+4)], "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.TrimRight(strings.ToValidUTF8(s[:n], ""), "\uFFFD") + " ..."
}

// count returns how many there were.
func (l *failureLog) count() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}
