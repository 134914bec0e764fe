package chain

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"example.com/signals/internal/listen"
)

type quick struct{ listen.Listener }

func (quick) Slow(time.Duration, int) {}

// A timer for whoever comes while none is armed, each of which comes back as long as
// there are emissions, would be thousands before long.
func TestOneTimerForAllThatEmitAtOnce(t *testing.T) {
	const slowAfter = time.Millisecond
	w, m := new(watch), &listen.Member{Of: quick{}}
	made := func() uint64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.Mallocs
	}
	begun, before := time.Now(), made()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for time.Since(begun) < 300*slowAfter {
				f := w.enter(slowAfter, m)
				w.next(f, m)
				w.leave(f)
			}
		})
	}
	wg.Wait()
	// Each timer is some allocations; flights are made seldom.
	if n, most := made()-before, 20*uint64(time.Since(begun)/slowAfter)+1000; n > most {
		t.Errorf("%d allocations in %v; want at most %d", n, time.Since(begun), most)
	}
}
