package signalstest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
	"example.com/signals/signalstest"
)

// wrapped is a Source that a user might write.
type wrapped struct{ signals.Source[int] }

func TestEverySourceCanBeRecorded(t *testing.T) {
	ctx := t.Context()

	plain := signals.NewSync[int]()
	ofSync := signalstest.Record(t, plain)
	plain.Emit(ctx, 1)
	plain.Emit(ctx, 2)
	ofSync.Ordered(1, 2)

	var zero struct{ changed signals.SyncSignal[int] }
	ofZero := signalstest.Record(t, &zero.changed)
	zero.changed.Emit(ctx, 1)
	ofZero.Ordered(1)

	async := signals.New[int]()
	ofAsync := signalstest.Record(t, async)
	async.Emit(ctx, 1)
	async.Emit(ctx, 2)
	ofAsync.Wait(ctx, 2)
	ofAsync.Ordered(1, 2)

	sharded := signals.NewSharded(2, func(v int) uint64 { return uint64(v) })
	ofSharded := signalstest.Record(t, sharded)
	sharded.Emit(ctx, 1)
	sharded.Emit(ctx, 2)
	ofSharded.Wait(ctx, 2)
	ofSharded.Unordered(2, 1)

	ofWrapped := signalstest.Record(t, wrapped{plain})
	plain.Emit(ctx, 3)
	ofWrapped.Ordered(3)
	ofSync.Ordered(1, 2, 3) // two recorders of one signal
}

func TestRecordingAClosedSignalEndsTheTest(t *testing.T) {
	closed := signals.New[int]()
	if err := closed.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := closed.TrySubscribe(func(context.Context, int) error { return nil })
	wantFatal(t, fmt.Sprintf("signalstest: nothing to record: %v", err), func(tb testing.TB) {
		signalstest.Record(tb, closed)
	})
}

func TestRecorderUnsubscribesWhenTheTestEnds(t *testing.T) {
	sig := signals.NewSync[int]()
	var rec *signalstest.Recorder[int]
	t.Run("recorded", func(t *testing.T) {
		rec = signalstest.Record(t, sig)
		sig.Emit(t.Context(), 1)
	})
	if n := sig.Len(); n != 0 {
		t.Errorf("%d listeners are left", n)
	}
	sig.Emit(t.Context(), 2)
	if got := rec.Got(); !slices.Equal(got, []int{1}) {
		t.Errorf("recorded %v, want only what was emitted during the test", got)
	}
}

func TestGotIsACopy(t *testing.T) {
	sig := signals.NewSync[int]()
	rec := signalstest.Record(t, sig)
	sig.Emit(t.Context(), 1)
	rec.Got()[0] = 9
	rec.Ordered(1)
}

func TestWaitReturnsTheFirstPayloads(t *testing.T) {
	sig := signals.NewSync[int]()
	rec := signalstest.Record(t, sig)
	for v := range 5 {
		sig.Emit(t.Context(), v)
	}
	for range 2 { // a Wait takes nothing away
		if got := rec.Wait(t.Context(), 3); !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("Wait = %v", got)
		}
	}
	if got := rec.Wait(t.Context(), 0); len(got) != 0 {
		t.Errorf("Wait for none = %v", got)
	}
}

func TestWaitWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sig := signals.New[string]()
		rec := signalstest.Record(t, sig)
		time.AfterFunc(time.Second, func() { sig.Emit(context.Background(), "a") })
		time.AfterFunc(2*time.Second, func() { sig.Emit(context.Background(), "b") })

		began := time.Now()
		if got := rec.Wait(t.Context(), 2); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("Wait = %q", got)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("Wait took %v", took)
		}
	})
}

func TestWaitAcceptsWhatHasComeOnAnEndedContext(t *testing.T) {
	sig := signals.NewSync[int]()
	rec := signalstest.Record(t, sig)
	sig.Emit(t.Context(), 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	rec.Wait(ended, 1)
}

func TestWaitFailsWithWhatCameInstead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sig := signals.NewSync[string]()

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		wantFatal(t, `signalstest: 2 of 3 payloads had come when the context ended (context deadline exceeded):
    [0] "a"
    [1] "b\n"`, func(tb testing.TB) {
			rec := signalstest.Record(tb, sig)
			sig.Emit(ctx, "a")
			sig.Emit(ctx, "b\n")
			rec.Wait(ctx, 3)
		})
		if took := time.Since(began); took != time.Minute {
			t.Errorf("Wait gave up after %v, not when its context did", took)
		}

		because, stop := context.WithCancelCause(t.Context())
		stop(errors.New("enough"))
		wantFatal(t, `signalstest: 0 of 1 payloads had come when the context ended (enough): none`, func(tb testing.TB) {
			signalstest.Record(tb, sig).Wait(because, 1)
		})
	})
}

func TestWaitsWithoutADeadlineEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sig := signals.NewSync[int]()
		wantFatal(t, "signalstest: 0 of 1 payloads had come when 30s were over (the context has no deadline): none",
			func(tb testing.TB) {
				signalstest.Record(tb, sig).Wait(t.Context(), 1)
			})
		var missing context.Context
		wantFatal(t, "signalstest: none of 0 payloads had met the condition when 30s were over "+
			"(the context has no deadline): none", func(tb testing.TB) {
			signalstest.Record(tb, sig).WaitFor(missing, func([]int) bool { return true })
		})
	})
}

func TestWaitForReturnsTheShortestBeginning(t *testing.T) {
	sig := signals.NewSync[int]()
	rec := signalstest.Record(t, sig)
	for v := range 10 {
		sig.Emit(t.Context(), v)
	}
	var asked [][]int
	got := rec.WaitFor(t.Context(), func(got []int) bool {
		asked = append(asked, got)
		return got[len(got)-1] == 2
	})
	if !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("WaitFor = %v", got)
	}
	if !slices.EqualFunc(asked, [][]int{{0}, {0, 1}, {0, 1, 2}}, slices.Equal) {
		t.Errorf("the condition was asked about %v", asked)
	}
}

func TestWaitForWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sig := signals.New[int]()
		rec := signalstest.Record(t, sig)
		sum := 0
		for v := range 10 {
			time.AfterFunc(time.Duration(v+1)*time.Second, func() { sig.Emit(context.Background(), v) })
		}
		got := rec.WaitFor(t.Context(), func(got []int) bool {
			sum += got[len(got)-1]
			return sum >= 10
		})
		if !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
			t.Errorf("WaitFor = %v", got)
		}
		rec.Wait(t.Context(), 10)
	})
}

func TestWaitForFailsWithWhatCameInstead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sig := signals.NewSync[struct{ ID int }]()
		wantFatal(t, `signalstest: none of 1 payloads had met the condition when the context ended (context canceled):
    [0] {ID:1}`, func(tb testing.TB) {
			rec := signalstest.Record(tb, sig)
			sig.Emit(t.Context(), struct{ ID int }{1})
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			rec.WaitFor(ctx, func(got []struct{ ID int }) bool { return got[0].ID == 2 })
		})
	})
}

func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sig := signals.New[int]()
		rec := signalstest.Record(t, sig)
		sig.Emit(t.Context(), 1)
		rec.Wait(t.Context(), 1)

		began := time.Now()
		rec.Quiet(time.Hour) // what came before does not count
		if took := time.Since(began); took != time.Hour {
			t.Errorf("an hour of quiet took %v", took)
		}

		wantError(t, "signalstest: not quiet for 1h0m0s: 1 payload came:\n    [0] 2", func(tb testing.TB) {
			rec := signalstest.Record(tb, sig)
			time.AfterFunc(time.Minute, func() { sig.Emit(context.Background(), 2) })
			began := time.Now()
			rec.Quiet(time.Hour)
			if took := time.Since(began); took != time.Minute {
				t.Errorf("Quiet failed after %v, not at once", took)
			}
		})
	})
}

func TestNothingIsLostBetweenManyEmittersAndWaits(t *testing.T) {
	const emitters, each = 8, 500
	sig := signals.New[int]()
	rec := signalstest.Record(t, sig)
	var wg sync.WaitGroup
	var want []int
	for e := range emitters {
		wg.Go(func() {
			for i := range each {
				sig.Emit(context.Background(), e*each+i)
			}
		})
	}
	for v := range emitters * each {
		want = append(want, v)
	}
	for n := 0; n <= emitters*each; n += 100 {
		if got := rec.Wait(t.Context(), n); len(got) != n {
			t.Errorf("Wait for %d returned %d", n, len(got))
		}
	}
	wg.Wait()
	rec.Unordered(want...)
}
