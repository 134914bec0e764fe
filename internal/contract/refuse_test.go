package contract_test

import (
	"context"
	"errors"
	"testing"

	"example.com/signals"
)

// A wrapper that turns an emission away reports it where the signal reports
// what it refuses itself.
func TestRefuseReportsAFailureWithoutAListener(t *testing.T) {
	why := errors.New("too many")
	type refuser interface {
		signals.Signal[int]
		Refuse(ctx context.Context, payload int, err error)
		Stats() signals.SignalStats
	}
	kinds := map[string]func(...signals.Option) refuser{
		"sync":  func(o ...signals.Option) refuser { return signals.NewSync[int](o...) },
		"async": func(o ...signals.Option) refuser { return signals.New[int](o...) },
		"sharded": func(o ...signals.Option) refuser {
			return signals.NewSharded(2, func(n int) uint64 { return uint64(n) }, o...)
		},
	}
	for kind, signal := range kinds {
		t.Run(kind, func(t *testing.T) {
			var got []signals.Failure
			s := signal(signals.Name("orders"), signals.OnFailure(func(_ context.Context, f signals.Failure) { got = append(got, f) }))
			s.Subscribe(func(context.Context, int) error { t.Error("a refused emission was delivered"); return nil })
			s.Refuse(t.Context(), 7, why)
			if len(got) != 1 || got[0].Signal != "orders" || got[0].Payload != 7 || !errors.Is(got[0].Err, why) || got[0].Listener != "" {
				t.Errorf("the handler got %+v, want one failure without a listener, for 7 on orders", got)
			}
			if st := s.Stats(); st.Refusals != 1 || st.Emissions != 0 || st.Failures != 0 {
				t.Errorf("counted %d refusals, %d emissions, %d failures; want 1, 0, 0", st.Refusals, st.Emissions, st.Failures)
			}
		})
	}

	t.Run("default handler", func(t *testing.T) {
		log := newLogged()
		signals.NewSync[int](signals.Name("orders"), signals.Logger(log.Logger)).Refuse(t.Context(), 7, why)
		if lines := log.all(); len(lines) != 1 || lines[0].msg != "signals: emissions refused" {
			t.Errorf("logged %+v, want one line about a refused emission", lines)
		}
	})
	t.Run("zero value", func(t *testing.T) {
		var sync signals.SyncSignal[int]
		var async signals.AsyncSignal[int]
		sync.Refuse(t.Context(), 7, why) // logged; must not panic
		async.Refuse(nil, 7, why)        //nolint:staticcheck // a nil context is context.Background
	})
}
