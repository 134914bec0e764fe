package eventstore

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// note remembers a failure with an event.
func (t *term) note(r Recorded, failure error) {
	now := time.Now()
	t.update(func(s *listenerState) {
		if s.failing.position != r.Position {
			s.failing = failing{position: r.Position, first: now}
		}
		s.failing.attempts++
		s.failing.last, s.failing.err, s.err = now, failure, failure
		s.failures++
	})
}

// retry is called before another try with an event that has failed, and behind
// which everything is finished. It waits, or gives the event up; it reports
// whether the event has been passed.
func (t *term) retry(r Recorded) (passed bool, err error) {
	var f failing
	t.update(func(s *listenerState) { f = s.failing })
	if f.attempts < t.attempts {
		if err := t.save(); err != nil {
			return false, err
		}
		t.sleep(t.ctx, t.pause(f.attempts))
		return false, t.ctx.Err()
	}
	if t.stopAtFailure {
		err := fmt.Errorf("eventstore: listener %q: event at position %d failed %s: %w", t.key, r.Position, plural(f.attempts, "time"), f.err)
		if saving := t.advance(Move{To: t.at, Stopped: text(err)}, nil); saving != nil {
			return false, saving
		}
		return false, &finalError{err}
	}
	t.passed(r)
	dead := Dead{Position: r.Position, Err: text(f.err), Attempts: f.attempts, First: f.first, Last: f.last}
	// In the state first: the notice of the move must find that there are some.
	t.update(func(s *listenerState) { s.dead++ })
	if err := t.advance(Move{To: r.Position, Dead: []Dead{dead}}, nil); err != nil {
		t.update(func(s *listenerState) { s.dead-- })
		return false, err
	}
	t.store.log(levelError, "eventstore: a dead letter", "key", t.key, "position", r.Position, "id", r.ID, "attempts", f.attempts, "err", dead.Err)
	t.reached(r.Position, 0)
	return true, nil
}

// maxText is the most bytes of an error that are kept in the store.
const maxText = 4096

// text returns what an error says, as a backend can keep it. An Error method
// that panics is printed as that.
func text(err error) string {
	s := fmt.Sprintf("%v", err)
	if len(s) > maxText {
		for s = s[:maxText]; !utf8.ValidString(s) && len(s) > maxText-utf8.UTFMax; {
			s = s[:len(s)-1]
		}
		s += "..."
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
	if s == "" {
		return "an error without a text"
	}
	return s
}
