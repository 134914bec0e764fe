package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals/eventstore"
)

func TestDecideAppendsWhatWasDecided(t *testing.T) {
	s := bankStore()
	m := balanceOf("a")
	m.Stream = "a"
	stored, err := eventstore.Decide(t.Context(), s, m, func(balance) ([]any, error) {
		return []any{
			deposited{"a", 100},
			eventstore.Draft{Value: deposited{"b", 1}, Stream: "b", ID: "id", Tags: []string{"t"}, Meta: map[string]string{"k": "v"}},
			eventstore.Draft{Value: deposited{"a", 1}},
			eventstore.Event{Type: "noted"},
			eventstore.Event{Type: "noted", Stream: "c"},
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range stored {
		got = append(got, strings.TrimSpace(fmt.Sprintln(r.Position, r.Type, r.Stream, r.Version, r.Tags, string(r.Data))))
	}
	same(t, "stored", got, []string{
		`1 deposited a 1 [account:a] {"Account":"a","Cents":100}`, `2 deposited b 1 [account:b t] {"Account":"b","Cents":1}`,
		`3 deposited a 2 [account:a] {"Account":"a","Cents":1}`, `4 noted a 3 []`, `5 noted c 1 []`,
	})
	if stored[1].ID != "id" || stored[1].Meta["k"] != "v" || stored[0].ID == "" {
		t.Errorf("stored %+v", stored[:2])
	}
}

func TestDecidingNothingOrNoAppendsNothing(t *testing.T) {
	s := bankStore()
	if stored, err := eventstore.Decide(t.Context(), s, balanceOf("a"), func(balance) ([]any, error) { return nil, nil }); stored != nil || err != nil {
		t.Errorf("%v, %v", stored, err)
	}
	if stored, err := eventstore.Decide(t.Context(), s, balanceOf("a"), withdraw("a", 1)); stored != nil || err != errFunds { //nolint:errorlint // as it is
		t.Errorf("%v, %v", stored, err)
	}
	for want, values := range map[string][]any{
		"value 2 of 2: unknown type: string": {deposited{"a", 1}, "text"},
		"value 1 of 1: the value is nil":     {nil},
		"event 1 of 1: event":                {eventstore.Event{}},
	} {
		if _, err := eventstore.Decide(t.Context(), s, balanceOf("a"), func(balance) ([]any, error) { return values, nil }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q", err, want)
		}
	}
	if _, err := eventstore.Decide(t.Context(), s, balanceOf("a"), nil); err == nil {
		t.Error("a nil function was accepted")
	}
	if head, _ := s.Head(t.Context()); head != 0 {
		t.Errorf("head %d", head)
	}
}

func TestDecideDecidesAgainWhenSomethingRelevantCame(t *testing.T) {
	s := bankStore()
	record(t, s, deposited{"a", 100})
	var seen []int
	_, err := eventstore.Decide(t.Context(), s, balanceOf("a"), func(b balance) ([]any, error) {
		if seen = append(seen, b.Cents); len(seen) == 1 {
			record(t, s, withdrawn{"a", 60}, withdrawn{"b", 1})
		}
		return withdraw("a", 80)(b)
	})
	if !errors.Is(err, errFunds) {
		t.Errorf("error %v", err)
	}
	same(t, "what was seen", seen, []int{100, 40})
	seen = nil
	_, err = eventstore.Decide(t.Context(), s, balanceOf("a"), func(b balance) ([]any, error) {
		seen = append(seen, b.Cents)
		record(t, s, withdrawn{"b", 1})
		return withdraw("a", 40)(b)
	})
	if err != nil || len(seen) != 1 {
		t.Errorf("decided %d times, %v: events that do not matter do not conflict", len(seen), err)
	}
}

// The bug of others: the head is read after the events, an event between the two
// is not seen, and the condition does not see it either.
func TestAnEventBetweenReadingAndTheHeadIsNotMissed(t *testing.T) {
	w := wrap()
	s := eventstore.New(w, eventstore.Types(bank()))
	other := eventstore.New(w.Backend, eventstore.Types(bank()))
	record(t, other, deposited{"a", 100})
	for name, between := range map[string]func(fn func()){
		"before the page": func(fn func()) {
			w.page = func(ctx context.Context, r eventstore.PageRequest) (eventstore.Page, error) {
				fn()
				return w.Backend.Page(ctx, r)
			}
		},
		"after the page": func(fn func()) {
			w.page = func(ctx context.Context, r eventstore.PageRequest) (eventstore.Page, error) {
				p, err := w.Backend.Page(ctx, r)
				fn()
				return p, err
			}
		},
		"after the head": func(fn func()) {
			w.head = func(ctx context.Context) (eventstore.Position, error) {
				p, err := w.Backend.Head(ctx)
				fn()
				return p, err
			}
		},
	} {
		w.page, w.head = w.Backend.Page, w.Backend.Head
		record(t, other, deposited{"a", 100 - load(t, other, balanceOf("a")).Cents})
		var once sync.Once
		between(func() { once.Do(func() { record(t, other, withdrawn{"a", 80}) }) })
		if _, err := eventstore.Decide(t.Context(), s, balanceOf("a"), withdraw("a", 80)); !errors.Is(err, errFunds) {
			t.Errorf("%s: error %v; 80 were withdrawn twice of 100", name, err)
		}
		w.page, w.head = w.Backend.Page, w.Backend.Head
		if b := load(t, other, balanceOf("a")); b.Cents != 20 {
			t.Errorf("%s: balance %d; want 20", name, b.Cents)
		}
	}
}

// The bug of others: an append that was committed is retried under its condition
// and conflicts with itself, or is decided a second time.
func TestAnUnknownOutcomeIsResolvedNotDecidedAgain(t *testing.T) {
	lost := fmt.Errorf("lost: %w", eventstore.ErrOutcomeUnknown)
	for _, c := range []struct {
		name    string
		answers []string // of the backend, one an append; then it works
		decided int
		cents   int // at the end, of 100; 80 are withdrawn
	}{
		{"committed", []string{"commit, lost"}, 1, 20},
		{"not committed", []string{"lost"}, 1, 20},
		{"committed, then unreachable", []string{"commit, lost", "refuse", "refuse", "lost"}, 1, 20},
		{"not committed, and somebody else was faster", []string{"lost, other"}, 2, 90},
		{"committed, and somebody else came after", []string{"commit, lost, other"}, 1, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := wrap()
				s := eventstore.New(w, eventstore.Types(bank()))
				other := eventstore.New(w.Backend, eventstore.Types(bank()))
				record(t, other, deposited{"a", 100})
				appends := 0
				ctx, cancel := context.WithCancel(t.Context())
				w.append = func(actx context.Context, b eventstore.Batch) (eventstore.Appended, error) {
					appends++
					if appends > len(c.answers) {
						return w.Backend.Append(actx, b)
					}
					what := c.answers[appends-1]
					if strings.Contains(what, "commit") {
						if _, err := w.Backend.Append(actx, b); err != nil {
							return eventstore.Appended{}, err
						}
					}
					if strings.Contains(what, "other") {
						record(t, other, withdrawn{"a", 10})
					} else {
						cancel() // to show that it is resolved all the same
					}
					if strings.Contains(what, "refuse") {
						return eventstore.Appended{}, errors.New("connection refused")
					}
					return eventstore.Appended{}, lost
				}
				decided := 0
				stored, err := eventstore.Decide(ctx, s, balanceOf("a"), func(b balance) ([]any, error) {
					if decided++; b.Cents < 95 {
						return nil, errFunds
					}
					return []any{withdrawn{"a", 80}}, nil
				})
				want := error(nil)
				if c.decided == 2 {
					want = errFunds
				}
				if !errors.Is(err, want) || decided != c.decided || want == nil && len(stored) != 1 {
					t.Errorf("decided %d times, stored %d, %v", decided, len(stored), err)
				}
				if b := load(t, other, balanceOf("a")); b.Cents != c.cents {
					t.Errorf("balance %d; want %d", b.Cents, c.cents)
				}
			})
		})
	}
}

func TestAnOutcomeThatStaysUnknownIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wrap()
		s := eventstore.New(w, eventstore.Types(bank()))
		answer := eventstore.ErrOutcomeUnknown
		w.append = func(context.Context, eventstore.Batch) (eventstore.Appended, error) {
			return eventstore.Appended{}, answer
		}
		decided := 0
		decide := func(balance) ([]any, error) { decided++; return []any{deposited{"a", 5}}, nil }
		_, err := eventstore.Decide(t.Context(), s, balanceOf("a"), decide)
		unknown, ok := errors.AsType[*eventstore.UnknownOutcomeError](err)
		if !ok || !errors.Is(err, eventstore.ErrOutcomeUnknown) || decided != 1 {
			t.Fatalf("decided %d times, %v", decided, err)
		}
		if text := err.Error(); !strings.HasPrefix(text, "eventstore: decide: 1 event beginning with ") {
			t.Errorf("error %q", text)
		}
		// With what it holds, its owner finds out.
		w.append = w.Backend.Append
		for range 2 {
			if stored, err := s.Append(t.Context(), unknown.Events, unknown.Condition); err != nil || len(stored) != 1 || stored[0].Position != 1 {
				t.Errorf("stored %v, %v", stored, err)
			}
		}
		w.append = func(_ context.Context, b eventstore.Batch) (eventstore.Appended, error) {
			err := answer
			answer = eventstore.ErrBroken
			return eventstore.Appended{}, err
		}
		answer = eventstore.ErrOutcomeUnknown
		_, err = eventstore.Decide(t.Context(), s, balanceOf("a"), decide)
		if _, ok := errors.AsType[*eventstore.UnknownOutcomeError](err); !ok || !errors.Is(err, eventstore.ErrBroken) {
			t.Errorf("of a broken store: %v", err)
		}
	})
}

func TestDecideGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bankStore()
		rounds := 0
		decide := func(balance) ([]any, error) {
			rounds++
			record(t, s, deposited{"a", 1})
			return []any{withdrawn{"a", 1}}, nil
		}
		began := time.Now() // of the bubble's clock: what passes are the pauses
		_, err := eventstore.Decide(t.Context(), s, balanceOf("a"), decide)
		if d := time.Since(began); d < 100*time.Millisecond || d > 10*time.Second {
			t.Errorf("the pauses took %v", d)
		}
		if _, ok := errors.AsType[*eventstore.ConflictError](err); !ok || rounds != 100 ||
			!strings.HasPrefix(err.Error(), "eventstore: decide: gave up after 100 rounds: eventstore: conflict: expected none after position 99 of") {
			t.Errorf("after %d rounds: %v", rounds, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = eventstore.Decide(ctx, s, balanceOf("a"), func(b balance) ([]any, error) {
			values, err := decide(b)
			if rounds == 110 {
				cancel()
			}
			return values, err
		})
		if _, ok := errors.AsType[*eventstore.ConflictError](err); !ok || !errors.Is(err, context.Canceled) || rounds != 110 {
			t.Errorf("after %d rounds: %v; want the end of ctx", rounds, err)
		}
		_, err = eventstore.Decide(t.Context(), s, balanceOf("a"), func(b balance) ([]any, error) {
			values, err := decide(b)
			if rounds == 113 {
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
			return values, err
		})
		if !errors.Is(err, eventstore.ErrClosed) || rounds != 113 {
			t.Errorf("after %d rounds: %v; want ErrClosed", rounds, err)
		}
	})
}

// A listener of Persisted that decides, and is in conflict, fails after the
// commit: that is not the conflict of this append.
func TestAConflictInAListenerOfPersistedIsNotDecidedAgain(t *testing.T) {
	s := bankStore()
	for _, inner := range []error{&eventstore.ConflictError{Condition: eventstore.ExpectStream("x")}, eventstore.ErrOutcomeUnknown} {
		sub := s.Persisted().Subscribe(func(context.Context, eventstore.Recorded) error { return inner })
		decided := 0
		stored, err := eventstore.Decide(t.Context(), s, balanceOf("a"), func(balance) ([]any, error) {
			decided++
			return []any{deposited{"a", 5}}, nil
		})
		if _, ok := errors.AsType[*eventstore.PersistedError](err); !ok || len(stored) != 1 || decided != 1 {
			t.Errorf("decided %d times, stored %d, %v", decided, len(stored), err)
		}
		sub.Unsubscribe()
	}
	if head, _ := s.Head(t.Context()); head != 2 {
		t.Errorf("head %d; want 2", head)
	}
}

func TestARequestWithAnIDIsDoneOnce(t *testing.T) {
	s := bankStore()
	pay := func() ([]eventstore.Recorded, error) {
		return eventstore.Decide(t.Context(), s, balanceOf("a"), func(balance) ([]any, error) {
			return []any{eventstore.Draft{ID: "request 7", Value: deposited{"a", 5}}}, nil
		})
	}
	first, err := pay()
	if err != nil {
		t.Fatal(err)
	}
	second, err := pay()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the second time", second, first)
	same(t, "balance", load(t, s, balanceOf("a")).Cents, 5)
}

func TestCompetingDecisionsNeverOverdraw(t *testing.T) {
	s := bankStore()
	record(t, s, deposited{"a", 40})
	var group sync.WaitGroup
	var mu sync.Mutex
	done, refused := 0, 0 // under mu
	for range 8 {
		group.Go(func() {
			for range 10 {
				_, err := eventstore.Decide(t.Context(), s, balanceOf("a"), withdraw("a", 1))
				mu.Lock()
				switch {
				case err == nil:
					done++
				case errors.Is(err, errFunds):
					refused++
				default:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if b := load(t, s, balanceOf("a")); b.Cents != 0 || done != 40 || refused != 40 {
		t.Errorf("balance %d, %d done, %d refused", b.Cents, done, refused)
	}
}
