package signals

import (
	"runtime"
	"sync"
	"testing"
)

// The one place without a lock: a worker that begins calls and a remover must
// agree about the number of calls. It fails within milliseconds if begin is
// not one atomic operation, or reads and adds in two.
func TestHammerAWorkerAndARemoverAgreeOnTheCallsThatWereBegun(t *testing.T) {
	rounds := 50_000
	if testing.Short() {
		rounds = 5_000
	}
	var r reader[int]
	for round := range rounds {
		from := uint64(round)
		r.state.Store(from << 1)
		var begun uint64
		var start, done sync.WaitGroup
		start.Add(1)
		done.Go(func() {
			start.Wait()
			for begun = 0; begun < 1000 && r.begin(); begun++ {
				if round%2 == 0 {
					runtime.Gosched()
				}
			}
		})
		start.Done()
		for range round % 64 {
			runtime.Gosched()
		}
		seen := r.state.Or(1)>>1 - from
		done.Wait()
		if begun != seen {
			t.Fatalf("round %d: the worker began %d calls, the remover saw %d", round, begun, seen)
		}
	}
}
