package signals_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"example.com/signals"
)

// A loop over Events that was told of an emission, and has not run yet, must
// still find it when the other listeners are through.
func TestConservationOfEventsBesideAQuickListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		s := signals.New[int]()
		var got []int
		ended := make(chan bool)
		go func() {
			defer close(ended)
			for v := range s.Events(t.Context()) {
				got = append(got, v)
			}
		}()
		synctest.Wait()
		s.AddListener(func(context.Context, int) {})
		want := make([]int, n)
		for i := range n {
			want[i] = i + 1
			s.Emit(t.Context(), i+1)
			synctest.Wait()
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-ended
		if !slices.Equal(got, want) {
			t.Errorf("Events gave %v; want 1 to %d", got, n)
		}
	})
}
