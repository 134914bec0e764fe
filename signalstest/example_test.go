package signalstest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/signalstest"
)

// A Meter is what the examples test: it emits each reading that is a record.
type Meter struct {
	Record signals.AsyncSignal[int]
	max    int
}

func (m *Meter) Read(v int) {
	if v > m.max {
		m.max = v
		m.Record.Emit(context.Background(), v)
	}
}

// In a test, t is its *testing.T.
func Example() {
	var t exampleT
	defer t.end()

	var meter Meter
	records := signalstest.Record(&t, &meter.Record)
	for _, v := range []int{3, 1, 4, 1, 5, 9, 2, 6} {
		meter.Read(v)
	}

	fmt.Println(records.Wait(t.Context(), 4))
	records.Ordered(3, 4, 5, 9)
	records.Quiet(time.Millisecond)

	// Output:
	// [3 4 5 9]
}

// A test that fails says what is different.
func ExampleRecorder_Ordered() {
	var t exampleT
	defer t.end()

	var meter Meter
	records := signalstest.Record(&t, &meter.Record)
	for _, v := range []int{3, 1, 4, 1, 5, 9, 2, 6} {
		meter.Read(v)
	}

	records.WaitFor(t.Context(), func(got []int) bool { return got[len(got)-1] == 9 })
	records.Ordered(3, 4, 9, 10)

	// Output:
	// signalstest: 4 payloads came, not the 4 wanted in this order (- wanted, + came):
	//     [0] 3
	//     [1] 4
	//   + [2] 5
	//     [3] 9
	//   - [3] 10
}

// An exampleT stands in for the *testing.T that examples do not have.
type exampleT struct {
	testing.TB
	cleanup func()
}

func (t *exampleT) Helper()                           {}
func (t *exampleT) Context() context.Context          { return context.Background() }
func (t *exampleT) Cleanup(fn func())                 { t.cleanup = fn }
func (t *exampleT) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (t *exampleT) end()                              { t.cleanup() }
