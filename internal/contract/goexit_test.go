package contract_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"example.com/signals"
)

// An emission that a listener ended with Goexit did not go well, however it was
// made.
func TestObserversAreToldThatGoexitEndedAnEmission(t *testing.T) {
	for name, emit := range map[string]func(*signals.SyncSignal[int]){
		"Emit":       func(s *signals.SyncSignal[int]) { s.Emit(context.Background(), 1) },
		"TryEmit":    func(s *signals.SyncSignal[int]) { _ = s.TryEmit(context.Background(), 1) },
		"TryEmitAll": func(s *signals.SyncSignal[int]) { _ = s.TryEmitAll(context.Background(), 1) },
	} {
		told := make(chan error, 1)
		s := signals.NewSync[int](signals.Observe(signals.Observer{
			EmitEnd: func(_ context.Context, _ *signals.SignalInfo, err error) { told <- err },
		}))
		s.AddListener(func(context.Context, int) { runtime.Goexit() })
		go emit(s)
		if err := await(t, told, name); !errors.Is(err, signals.ErrGoexit) {
			t.Errorf("%s: EmitEnd got %v, want ErrGoexit", name, err)
		}
	}
}
