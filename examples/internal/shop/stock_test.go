package shop

import (
	"errors"
	"sync"
	"testing"
)

func TestReservationTakesAllLinesOrNone(t *testing.T) {
	s := NewStock(map[string]int64{"a": 5, "b": 1})
	err := s.Reserve([]Line{{Code: "a", Quantity: 2}, {Code: "a", Quantity: 2}, {Code: "b", Quantity: 2}})
	var out *OutOfStockError
	if !errors.As(err, &out) || out.Code != "b" || out.Want != 2 || out.Have != 1 {
		t.Fatalf("got %v", err)
	}
	if s.Level("a") != 5 || s.Level("b") != 1 {
		t.Errorf("a refused reservation left %d and %d on the shelves, want 5 and 1", s.Level("a"), s.Level("b"))
	}
	// Two lines with one code share its shelf.
	if err := s.Reserve([]Line{{Code: "a", Quantity: 3}, {Code: "a", Quantity: 3}}); err == nil {
		t.Error("6 pieces were taken from a shelf with 5")
	}
}

func TestNothingIsSoldTwice(t *testing.T) {
	const pieces, customers = 1000, 8
	s := NewStock(map[string]int64{"a": pieces})
	sold := make([]int, customers)
	var wg sync.WaitGroup
	for c := range customers {
		wg.Go(func() {
			for i := range pieces {
				lines := []Line{{Code: "a", Quantity: 1}}
				if s.Reserve(lines) != nil {
					continue
				}
				if i%3 == 0 {
					s.Release(lines)
				} else {
					sold[c]++
				}
			}
		})
	}
	wg.Wait()
	total := int64(0)
	for _, n := range sold {
		total += int64(n)
	}
	if total+s.Level("a") != pieces {
		t.Errorf("%d sold and %d left of %d", total, s.Level("a"), pieces)
	}
}

func TestEndlessStockNeverRunsOut(t *testing.T) {
	if err := EndlessStock().Reserve([]Line{{Code: "a", Quantity: 1 << 40}}); err != nil {
		t.Error(err)
	}
}
