package inspector

import "time"

const (
	points  = 60               // of a History
	beat    = time.Second      // between samples while somebody looks
	recent  = time.Minute      // what "recently" means in the diagnosis
	spacing = 10 * time.Second // between marks
)

// counts are what rates are computed from.
type counts struct{ rate, failures, drops, refusals, over uint64 }

func (a counts) less(b counts) bool {
	return a.rate < b.rate || a.failures < b.failures || a.drops < b.drops || a.refusals < b.refusals
}

// mark is what was counted at some time.
type mark struct {
	at time.Time
	counts
}

// track is the past of one signal or row.
type track struct {
	last  counts
	marks []mark // those of the last minute, and the last one before it
	rates []float32
	fails []float32
	waits []int32
	seen  int // the newest points that are samples, and not filled in
}

// pace is the rates of one track, a second.
type pace struct{ rate, fails, drops float64 }

// step takes the next sample. before is when the sample before was taken.
func (t *track) step(now, before time.Time, c counts, waiting int) (p pace) {
	if len(t.marks) == 0 || c.less(t.last) { // new, or another one in the place of a removed one
		*t = track{}
		if before.IsZero() {
			t.last = c // counted before anybody looked
			t.marks = append(t.marks, mark{now, c})
		} else {
			t.marks = append(t.marks, mark{before, counts{}})
		}
	}
	gap := now.Sub(before)
	if seconds := gap.Seconds(); !before.IsZero() && seconds > 0 {
		p.rate = float64(c.rate-t.last.rate) / seconds
		p.fails = float64(c.failures-t.last.failures) / seconds
		p.drops = float64(c.drops-t.last.drops+c.refusals-t.last.refusals) / seconds
		t.fill(gap, p)
		t.push(p, waiting)
	}
	t.last = c
	if now.Sub(t.marks[len(t.marks)-1].at) >= spacing {
		t.marks = append(t.marks, mark{now, c})
	}
	for len(t.marks) > 1 && now.Sub(t.marks[1].at) >= recent {
		t.marks = t.marks[:copy(t.marks, t.marks[1:])]
	}
	return p
}

// fill draws what is known of a time when nobody looked: what was counted in
// it, evenly, a point a second.
func (t *track) fill(gap time.Duration, p pace) {
	missed := min(int((gap+beat/2)/beat)-1, points)
	if missed <= 0 {
		return
	}
	waiting := 0
	if n := len(t.waits); n > 0 {
		waiting = int(t.waits[n-1])
	}
	for range missed {
		t.push(p, waiting)
	}
	t.seen = 0
}

func (t *track) push(p pace, waiting int) {
	t.rates, t.fails, t.waits = push(t.rates, float32(p.rate)), push(t.fails, float32(p.fails)), push(t.waits, int32(min(waiting, 1<<31-1)))
	t.seen = min(t.seen+1, points)
}

func push[T any](s []T, v T) []T {
	if len(s) == points {
		s = s[:copy(s, s[1:])]
	}
	return append(s, v)
}

// lately returns what was counted since the oldest mark within window, and how
// long that is; nothing if nobody looked within it.
func (t *track) lately(now time.Time, window time.Duration) (counts, time.Duration) {
	for _, m := range t.marks {
		if since := now.Sub(m.at); since <= window {
			c := t.last
			return counts{c.rate - m.rate, c.failures - m.failures, c.drops - m.drops, c.refusals - m.refusals, c.over - m.over}, since
		}
	}
	return counts{}, 0
}

// growing reports whether what waits has been growing for some samples.
func (t *track) growing() bool {
	w := t.waits[len(t.waits)-min(len(t.waits), t.seen, 10):]
	if len(w) < 3 || w[len(w)-1] < 50 || float64(w[len(w)-1]) < 1.05*float64(w[0]) {
		return false
	}
	up, down := 0, 0
	for i := 1; i < len(w); i++ {
		switch {
		case w[i] > w[i-1]:
			up++
		case w[i] < w[i-1]:
			down++
		}
	}
	return up > 3*down
}

func (t *track) history() *History {
	h := &History{Rates: []float64{}, Failures: []float64{}, Waiting: []int{}}
	for i := range t.rates {
		h.Rates = append(h.Rates, float64(t.rates[i]))
		h.Failures = append(h.Failures, float64(t.fails[i]))
		h.Waiting = append(h.Waiting, int(t.waits[i]))
	}
	return h
}
