package signals_test

import (
	"context"
	"testing"

	"example.com/signals"
)

// What EmitWait has seen finished is finished for everybody.
func TestWhenEmitWaitReturnsThereIsRoomAgain(t *testing.T) {
	s := signals.New[int](signals.Capacity(1, signals.Reject))
	for range 4 {
		s.AddListener(func(context.Context, int) {})
	}
	for i := range 5000 {
		if err := s.EmitWait(t.Context(), i); err != nil {
			t.Fatalf("emission %d: %v", i, err)
		}
	}
}

func TestWhenEmitWaitReturnsNothingOfItIsPending(t *testing.T) {
	s := signals.New[int]()
	s.AddListener(func(context.Context, int) {})
	for i := range 2000 {
		for range i % 3 { // alone, and behind others
			s.Emit(t.Context(), i)
		}
		if err := s.EmitWait(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); st.Pending != 0 || st.Deliveries != st.Emissions {
			t.Fatalf("emission %d: %d pending, %d of %d delivered", i, st.Pending, st.Deliveries, st.Emissions)
		}
	}
}
