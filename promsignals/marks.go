package promsignals

import "time"

// marks are past scrapes and how many emissions there had been, for the age of
// what is pending.
type marks []mark

type mark struct {
	at        time.Time
	emissions uint64
}

const maxMarks = 64

// age returns for how long scrapes have seen the oldest of the pending
// emissions, at least.
func (m *marks) age(now time.Time, emissions uint64, pending int) time.Duration {
	finished := emissions - min(uint64(max(pending, 0)), emissions)
	old := *m
	for len(old) > 0 && old[0].emissions <= finished {
		old = old[1:]
	}
	if emissions > finished && (len(old) == 0 || old[len(old)-1].emissions < emissions) {
		old = append(old, mark{now, emissions})
	}
	if len(old) > maxMarks { // the first and every other
		kept := old[:0]
		for i := 0; i < len(old); i += 2 {
			kept = append(kept, old[i])
		}
		old = kept
	}
	*m = old
	if len(old) == 0 {
		return 0
	}
	return now.Sub(old[0].at)
}
