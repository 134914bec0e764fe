package signalstest_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"example.com/signals"
	"example.com/signals/signalstest"
)

// recorded returns a recorder of the payloads.
func recorded[T any](tb testing.TB, payloads ...T) *signalstest.Recorder[T] {
	sig := signals.NewSync[T]()
	rec := signalstest.Record(tb, sig)
	for _, v := range payloads {
		sig.Emit(tb.Context(), v)
	}
	return rec
}

// A tree is compared deeply: == would look at the addresses.
type tree struct {
	Name string
	Kids []*tree
}

func oak() *tree { return &tree{"oak", []*tree{{Name: "acorn"}}} }

func TestEqualPayloadsPass(t *testing.T) {
	recorded[int](t).Ordered()
	recorded[int](t).Unordered()
	recorded(t, 1, 2, 2).Ordered(1, 2, 2)
	recorded(t, 1, 2, 2).Unordered(2, 1, 2)
	recorded(t, oak(), &tree{}).Ordered(oak(), &tree{})
	recorded(t, oak(), &tree{}, oak()).Unordered(&tree{}, oak(), oak())
	recorded[any](t, 1, nil, "a").Ordered(1, nil, "a")
	recorded[any](t, 1, nil, "a").Unordered("a", nil, 1)
	recorded(t, 0.5, math.Inf(1)).Unordered(math.Inf(1), 0.5)
	recorded(t, [2]bool{true, false}).Unordered([2]bool{true, false})
}

func TestOrderedShowsTheDifference(t *testing.T) {
	numbers := func(from, to int) (list []int) {
		for v := from; v < to; v++ {
			list = append(list, v)
		}
		return list
	}
	checkDiffs(t, (*signalstest.Recorder[int]).Ordered, []diffTest[int]{
		{"nothing came", nil, []int{1}, `0 payloads came, not the 1 wanted in this order (- wanted, + came):
  - [0] 1`},
		{"nothing wanted", []int{1}, nil, `1 payload came, not the 0 wanted in this order (- wanted, + came):
  + [0] 1`},
		{"another", []int{1, 5, 3}, []int{1, 2, 3}, `3 payloads came, not the 3 wanted in this order (- wanted, + came):
    [0] 1
  - [1] 2
  + [1] 5
    [2] 3`},
		{"swapped", []int{2, 1}, []int{1, 2}, `2 payloads came, not the 2 wanted in this order (- wanted, + came):
  - [0] 1
    [0] 2
  + [1] 1`},
		{"one of many is missing", slices.Concat(numbers(0, 50), numbers(51, 100)), numbers(0, 100),
			`99 payloads came, not the 100 wanted in this order (- wanted, + came):
    [47] 47
    [48] 48
    [49] 49
  - [50] 50
    [50] 51
    [51] 52
    [52] 53`},
	})
	checkDiffs(t, (*signalstest.Recorder[string]).Ordered, []diffTest[string]{
		{"two places", []string{"a", "b", "x", "d", "e"}, []string{"b", "x", "c", "d", "e"},
			`5 payloads came, not the 5 wanted in this order (- wanted, + came):
  + [0] "a"
    [1] "b"
    [2] "x"
  - [2] "c"
    [3] "d"
    [4] "e"`},
	})
	checkDiffs(t, (*signalstest.Recorder[any]).Ordered, []diffTest[any]{
		{"same text, other types", []any{int64(1), "1"}, []any{1, "1"},
			`2 payloads came, not the 2 wanted in this order (- wanted, + came):
  - [0] 1 (int)
  + [0] 1 (int64)
    [1] "1" (string)`},
	})
	checkDiffs(t, (*signalstest.Recorder[[]int]).Ordered, []diffTest[[]int]{
		{"nil and empty", [][]int{nil}, [][]int{{}},
			`1 payload came, not the 1 wanted in this order (- wanted, + came):
  - [0] []int{}
  + [0] []int(nil)`},
	})
}

func TestUnorderedShowsTheDifference(t *testing.T) {
	checkDiffs(t, (*signalstest.Recorder[int]).Unordered, []diffTest[int]{
		{"one of two", []int{1, 2}, []int{2, 2}, `2 payloads came, not the 2 wanted in any order (- missing, + not wanted):
  - [1] 2
  + [0] 1`},
		{"came twice", []int{7, 8, 7}, []int{7, 8}, `3 payloads came, not the 2 wanted in any order (- missing, + not wanted):
  + [2] 7`},
	})
	checkDiffs(t, (*signalstest.Recorder[tree]).Unordered, []diffTest[tree]{
		{"deep", []tree{{Name: "elm"}, *oak(), {Name: "elm"}}, []tree{{Name: "ash"}, {Name: "elm"}, *oak()},
			`3 payloads came, not the 3 wanted in any order (- missing, + not wanted):
  - [0] {Name:ash Kids:[]}
  + [2] {Name:elm Kids:[]}`},
	})
	checkDiffs(t, (*signalstest.Recorder[float64]).Unordered, []diffTest[float64]{
		{"not a number", []float64{math.NaN()}, []float64{math.NaN()},
			`1 payload came, not the 1 wanted in any order (- missing, + not wanted):
  - [0] NaN
  + [0] NaN
      unlike [0]: it is NaN, not NaN, and NaN is equal to nothing`},
	})
}

func TestManyPayloadsAreComparedQuickly(t *testing.T) {
	const n = 100_000
	var up, down []int
	for v := range n {
		up = append(up, v)
		down = append(down, n-1-v)
	}
	recorded(t, up...).Unordered(down...)

	var f fakeTB
	f.run(func(tb testing.TB) {
		sig := signals.NewSync[int]()
		rec := signalstest.Record(tb, sig)
		for _, v := range up {
			sig.Emit(t.Context(), v)
		}
		rec.Ordered(down...)
	})
	if lines := strings.Count(strings.Join(f.messages, "\n"), "\n"); lines == 0 || lines > 50 {
		t.Errorf("the message has %d lines", lines)
	}
}

type diffTest[T any] struct {
	name      string
	got, want []T
	message   string
}

func checkDiffs[T any](t *testing.T, compare func(*signalstest.Recorder[T], ...T), tests []diffTest[T]) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sig := signals.NewSync[T]()
			wantError(t, "signalstest: "+test.message, func(tb testing.TB) {
				rec := signalstest.Record(tb, sig)
				for _, v := range test.got {
					sig.Emit(t.Context(), v)
				}
				compare(rec, test.want...)
			})
		})
	}
}
