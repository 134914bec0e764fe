package engine

import (
	"context"
	"testing"
	"unsafe"

	"example.com/signals/internal/listen"
)

// The lists agree at each step of a batch, also when its listener is removed in it.
func TestCheckHoldsInABatchAndBehindIt(t *testing.T) {
	for _, lag := range []int{0, 2} {
		s := newTold()
		g := newTest[int](s, Config{Capacity: 100})
		entered, goOn := make(chan int), make(chan struct{})
		fn := func(_ context.Context, batch []int) error {
			entered <- len(batch)
			<-goOn
			return nil
		}
		h := (&listen.Handler{Batch: *(*unsafe.Pointer)(unsafe.Pointer(&fn)), Of: asListener{s}}).Sealed()
		r := g.NewReader(ReaderConfig{Member: &listen.Member{Of: asListener{s}}, Handler: h, MaxLag: lag, MaxBatch: 4})
		r.Attach(0)
		emit := func(n int) {
			for range n {
				if err := Offer(g, t.Context(), 1, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		check := func(pending int) {
			t.Helper()
			if err := g.Check(); err != nil {
				t.Error(err)
			}
			if n := Pending([]*Engine{g}); n != pending {
				t.Errorf("MaxLag %d: %d pending, want %d", lag, n, pending)
			}
		}
		emit(1)
		<-entered
		check(1)
		emit(2)
		goOn <- struct{}{}
		if n := <-entered; n != 2 {
			t.Errorf("a batch of %d", n)
		}
		check(2)
		emit(2)
		check(4)
		r.Detach()
		check(2)
		goOn <- struct{}{}
		if err := r.Quiet(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(0)
		if st := r.Stats(); st.Deliveries != 3 || st.Drops != 2 {
			t.Errorf("%+v", st)
		}
	}
}
