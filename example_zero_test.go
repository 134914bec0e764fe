package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// A Thermometer has its signal by value; the zero value is ready.
type Thermometer struct {
	Changed signals.SyncSignal[float64]
	celsius float64
}

func (t *Thermometer) Set(celsius float64) {
	if celsius != t.celsius {
		t.celsius = celsius
		t.Changed.Emit(context.Background(), celsius)
	}
}

// The zero value of a signal is ready to use.
func ExampleSyncSignal() {
	var t Thermometer
	t.Changed.AddListener(func(_ context.Context, celsius float64) { fmt.Println(celsius) })
	t.Set(20)
	t.Set(20)
	t.Set(21.5)

	// Output:
	// 20
	// 21.5
}

// Init gives options to a signal that is held by value.
func ExampleSyncSignal_Init() {
	// region init
	var t Thermometer
	t.Changed.Init(signals.Name("temperature"), signals.Counted())
	t.Changed.AddListener(func(context.Context, float64) {})
	t.Set(20)
	fmt.Println(t.Changed.Stats().Name, t.Changed.Stats().Deliveries)
	// endregion

	// Output:
	// temperature 1
}
