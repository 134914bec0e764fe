package natsignals

import "time"

// retries is what a Consumer remembers of the messages that have failed here. All
// of it is under the Consumer's mu.
type retries struct {
	of map[uint64]retry // by sequence in the stream
}

type retry struct {
	attempts int
	seen     time.Time // the last failure
	due      time.Time // when the server delivers it again; zero: it is here
}

// A message that failed here and was then handled by another process is never
// heard of again; after this long without a word it is forgotten.
const forgetAfter = time.Hour

func (r *retries) failed(seq uint64, now time.Time) int {
	e := r.of[seq]
	e.attempts, e.seen, e.due = e.attempts+1, now, time.Time{}
	r.of[seq] = e
	return e.attempts
}

// leave notes that a message waits at the server until then, unless limit do
// already.
func (r *retries) leave(seq uint64, due time.Time, limit int) bool {
	now := time.Now()
	if len(r.of) >= limit && r.waiting(now) >= limit {
		return false
	}
	e := r.of[seq]
	e.seen, e.due = now, due
	r.of[seq] = e
	return true
}

// returned notes that the server has delivered a message.
func (r *retries) returned(seq uint64) {
	if e, ok := r.of[seq]; ok {
		e.due = time.Time{}
		r.of[seq] = e
	}
}

func (r *retries) forget(seq uint64) { delete(r.of, seq) }

// waiting counts the messages that wait at the server. One that is a minute
// overdue went to another process.
func (r *retries) waiting(now time.Time) (n int) {
	for seq, e := range r.of {
		switch {
		case now.Sub(e.seen) > forgetAfter && now.After(e.due):
			delete(r.of, seq)
		case !e.due.IsZero() && now.Before(e.due.Add(time.Minute)):
			n++
		}
	}
	return n
}
