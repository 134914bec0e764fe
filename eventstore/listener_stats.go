package eventstore

import "time"

// ListenerStats says how a durable listener is doing.
type ListenerStats struct {
	Key string
	// Position is where it is: everything up to there is finished, by it or,
	// of what does not match its query, by passing. Standing by, it is where the
	// key was when this Store last looked.
	Position Position
	// Lag is the number of events in the store behind Position, whether they
	// match or not, as far as this Store knows.
	Lag        uint64
	Standby    bool    // another one with this key works, or the backend does not answer
	Deliveries uint64  // calls that succeeded
	Failures   uint64  // calls that failed
	Rate       float64 // deliveries a second, over about the last 10 seconds
	Dead       int     // dead letters of the key, of which this Store knows
	// Attempts is the number of failed calls with the event that comes next,
	// and Failing its position; 0 if it has not failed.
	Attempts int
	Failing  Position
	Err      error // the last failure, of the listener or of the backend; or why it ended
}

// Stats returns how the listener is doing. It asks the backend nothing.
func (l *Listener) Stats() ListenerStats {
	l.mu.Lock()
	s := l.state
	l.mu.Unlock()
	at, end := l.store.tail.passed(s.at)
	if s.idle {
		s.at = at
	}
	out := ListenerStats{
		Key: l.key, Position: s.at, Standby: s.standby && !s.ended, Deliveries: s.handled, Failures: s.failures,
		Rate: s.rate.perSecond(time.Now()), Dead: s.dead, Attempts: s.failing.attempts, Failing: s.failing.position, Err: s.err,
	}
	if head := max(s.head, end); head > out.Position {
		out.Lag = uint64(head - out.Position)
	}
	return out
}

// meter counts in seconds, and remembers the last ten.
type meter struct {
	began  int64 // the first second, Unix; 0: nothing has been counted
	last   int64 // the second of the newest count
	counts [11]int
}

func (m *meter) add(now time.Time, n int) {
	if n == 0 {
		return
	}
	second := now.Unix()
	if m.began == 0 {
		m.began, m.last = second, second
	}
	for ; m.last < second; m.last++ {
		if second-m.last > int64(len(m.counts)) {
			m.last = second - int64(len(m.counts))
		}
		m.counts[(m.last+1)%int64(len(m.counts))] = 0
	}
	m.counts[second%int64(len(m.counts))] += n
}

// perSecond returns the average of the ten whole seconds before now, or of
// those since the first count.
func (m *meter) perSecond(now time.Time) float64 {
	second := now.Unix()
	if m.began == 0 {
		return 0
	}
	sum := 0
	for i := range int64(10) {
		if s := second - 1 - i; s >= m.began && s <= m.last && s > m.last-int64(len(m.counts)) {
			sum += m.counts[s%int64(len(m.counts))]
		}
	}
	return float64(sum) / float64(max(1, min(10, second-m.began)))
}
