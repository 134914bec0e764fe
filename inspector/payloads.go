package inspector

import (
	"context"
	"sync"
	"time"
)

const maxTails = 1024 // signals whose payloads are kept

// tails keep the last payloads of each signal, as text.
type tails struct {
	keep   int                      // read only
	redact func(string, any) string // what is kept of a payload; read only

	mu sync.Mutex
	by map[string]*ring // under mu
}

type ring struct {
	last []Payload
	next int // where the next one goes, once last is full
}

// add is what the bus's Tap calls. The text is made at once: later the payload
// may have changed.
func (t *tails) add(_ context.Context, signal string, payload any) {
	p := Payload{Time: time.Now(), Text: t.redact(signal, payload)}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.by[signal]
	if r == nil {
		if t.by == nil {
			t.by = make(map[string]*ring)
		}
		if len(t.by) >= maxTails {
			return
		}
		r = &ring{}
		t.by[signal] = r
	}
	if len(r.last) < t.keep {
		r.last = append(r.last, p)
		return
	}
	r.last[r.next] = p
	r.next = (r.next + 1) % t.keep
}

// list returns the payloads of a signal, newest first.
func (t *tails) list(signal string) []Payload {
	out := []Payload{}
	if t == nil {
		return out
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.by[signal]; r != nil {
		for k := range r.last {
			out = append(out, r.last[(r.next+len(r.last)-1-k)%len(r.last)])
		}
	}
	return out
}

// redacted returns what may be kept of a payload, as text.
func (c *config) redacted(signal string, payload any) string {
	if c.redact == nil {
		return describe(payload)
	}
	shown, ok := any(nil), false
	func() {
		defer func() { _ = recover() }()
		shown, ok = c.redact(signal, payload), true
	}()
	if !ok {
		return "(Redact panicked)" // and so nothing of the payload is shown
	}
	return describe(shown)
}
