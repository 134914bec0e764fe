package signals_test

import (
	"context"
	"testing"

	"example.com/signals"
	"example.com/signals/signalstest"
)

// A Meter emits each reading that is a record.
type Meter struct {
	Record signals.AsyncSignal[int]
	max    int
}

func (m *Meter) Read(ctx context.Context, v int) {
	if v > m.max {
		m.max = v
		m.Record.Emit(ctx, v)
	}
}

// region test

func TestMeterEmitsRecords(t *testing.T) {
	var meter Meter
	records := signalstest.Record(t, &meter.Record)

	for _, v := range []int{3, 1, 4, 1, 5} {
		meter.Read(t.Context(), v)
	}

	records.Wait(t.Context(), 3) // fails with what came instead
	records.Ordered(3, 4, 5)
}

// endregion
