package contract_test

import (
	"context"
	"slices"
	"testing"

	"example.com/signals"
)

func TestABatchOfALateListenerBeginsWithWhatIsRetained(t *testing.T) {
	s := signals.New[int](signals.Retain(5))
	for v := range 20 {
		s.Emit(t.Context(), v)
	}
	entered, release := make(chan struct{}, 10), make(chan struct{})
	var got [][]int
	s.SubscribeBatch(func(_ context.Context, batch []int) error {
		got = append(got, slices.Clone(batch))
		entered <- struct{}{}
		<-release
		return nil
	}, signals.MaxBatch(3))
	waited := make(chan error, 1)
	<-entered
	go func() { waited <- s.EmitWait(t.Context(), 20) }()
	eventually(t, "it waits", func() bool { return s.Stats().Emissions == 21 })
	close(release)
	if err := <-waited; err != nil {
		t.Error(err)
	}
	mustDrain(t, s)
	flat := slices.Concat(got...)
	if !slices.Equal(flat, []int{15, 16, 17, 18, 19, 20}) || len(got[0]) != 3 {
		t.Errorf("got %v", got)
	}
}
