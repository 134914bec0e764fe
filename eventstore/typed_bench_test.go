package eventstore_test

import (
	"context"
	"fmt"
	"testing"

	"example.com/signals/eventstore"
)

const replayed = 100_000

// bigBank is a store with that many deposits, of ten accounts.
func bigBank(b *testing.B, types *eventstore.Registry, value func(i int) any) *eventstore.Store {
	b.Helper()
	s := eventstore.New(eventstore.Memory(), eventstore.Types(types))
	var batch []any
	for i := range replayed {
		if batch = append(batch, value(i)); len(batch) == 1000 {
			record(b, s, batch...)
			batch = nil
		}
	}
	return s
}

// BenchmarkReplay reads 100,000 events: as they are stored, and decoded.
func BenchmarkReplay(b *testing.B) {
	keys := eventstore.Memory().(eventstore.KeyStore)
	deposit := func(i int) any { return deposited{fmt.Sprint(i % 10), i} }
	plain := bigBank(b, bank(), deposit)
	secret := bigBank(b, people(keys), func(i int) any { return named{fmt.Sprint(i % 1000), "Ann"} })
	sum := func(s *eventstore.Store) {
		n := 0
		m := eventstore.Model[int]{Query: eventstore.All(), Fold: func(n int, _ any) int { return n + 1 }}
		n, _, err := eventstore.Load(b.Context(), s, m)
		if err != nil || n != replayed {
			b.Fatal(n, err)
		}
	}
	for _, c := range []struct {
		name string
		run  func()
	}{
		{"raw", func() {
			for _, err := range plain.Read(b.Context(), eventstore.All()) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}},
		{"decoded", func() { sum(plain) }},
		{"encrypted, 1000 subjects", func() { sum(secret) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				c.run()
			}
			b.ReportMetric(float64(replayed)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkDecide compares a decision with the append under a condition that it
// comes down to, over a state of 10 events.
func BenchmarkDecide(b *testing.B) {
	account := func(s *eventstore.Store, i int) string {
		name := fmt.Sprint(i)
		for range 10 {
			record(b, s, deposited{name, 100})
		}
		return name
	}
	for _, c := range []struct {
		name string
		run  func(s *eventstore.Store, account string) error
	}{
		{"append", func(s *eventstore.Store, account string) error {
			head, err := s.Head(b.Context())
			if err == nil {
				_, err = s.Append(b.Context(), []eventstore.Event{{Type: "noted", Data: []byte(`{"Account":"0","Cents":0}`)}},
					eventstore.ExpectNone(balanceOf(account).Query, head))
			}
			return err
		}},
		{"decide", func(s *eventstore.Store, account string) error {
			_, err := eventstore.Decide(b.Context(), s, balanceOf(account), func(balance) ([]any, error) {
				return []any{eventstore.Event{Type: "noted", Data: []byte(`{"Account":"0","Cents":0}`)}}, nil
			})
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := bankStore()
			name := account(s, 0)
			for b.Loop() {
				if err := c.run(s, name); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSnapshot compares loading 100,000 events with loading a snapshot of
// them.
func BenchmarkSnapshot(b *testing.B) {
	s := bigBank(b, bank(), func(i int) any { return deposited{"a", i} })
	for name, every := range map[string]int{"events": 0, "snapshot": 1000} {
		b.Run(name, func(b *testing.B) {
			m := balanceOf("a")
			m.Snapshots.Every = every
			load(b, s, m) // takes the snapshot
			for b.Loop() {
				if _, _, err := eventstore.Load(context.Background(), s, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
