package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"example.com/signals/eventstore"
)

var concurrentCases = []testCase{
	{"OneOfThoseWhoExpectTheSameVersionWins", func(h *harness) {
		const racers, rounds = 8, 20
		for round := range uint64(rounds) {
			won := h.race(racers, func(i int) ([]eventstore.Event, []eventstore.Condition) {
				return one("a", "x"), []eventstore.Condition{eventstore.ExpectVersion("x", round)}
			})
			equal(h, "winners", won, 1)
		}
		equal(h, "head", h.head(), rounds)
	}},
	{"OneOfThoseWhoExpectNoneWins", func(h *harness) {
		const racers, rounds = 8, 20
		for round := range rounds {
			tag := fmt.Sprintf("seat-%d", round)
			won := h.race(racers, func(i int) ([]eventstore.Event, []eventstore.Condition) {
				cond := eventstore.ExpectNone(eventstore.Match(eventstore.Item{Types: []string{"booked"}, Tags: []string{tag}}), 0)
				return one("booked", fmt.Sprintf("by-%d", i), "other", tag), []eventstore.Condition{cond}
			})
			equal(h, "winners", won, 1)
		}
		equal(h, "head", h.head(), rounds)
	}},
	{"AConflictHarmsNoNeighbour", func(h *harness) {
		const racers = 32
		h.append(event("a", "x"))
		won := h.race(racers, func(i int) ([]eventstore.Event, []eventstore.Condition) {
			if i%2 == 0 {
				return one("bad", ""), []eventstore.Condition{eventstore.ExpectVersion("x", 99)}
			}
			return []eventstore.Event{event("good", fmt.Sprint(i)), event("good", fmt.Sprint(i))}, []eventstore.Condition{eventstore.ExpectVersion("x", 1)}
		})
		equal(h, "winners", won, racers/2)
		all := h.all(eventstore.All())
		equal(h, "events", len(all), 1+racers)
		for i := 1; i < len(all); i += 2 { // batches are not interleaved
			equal(h, "stream", all[i].Stream, all[i+1].Stream)
			equal(h, "versions", [2]uint64{all[i].Version, all[i+1].Version}, [2]uint64{1, 2})
		}
	}},
	{"TheSameBatchFromManyIsStoredOnce", func(h *harness) {
		const racers, rounds = 8, 10
		for round := range rounds {
			batch := []eventstore.Event{{ID: fmt.Sprint("a", round), Type: "a", Stream: "x"}, {ID: fmt.Sprint("b", round), Type: "b"}}
			version := eventstore.ExpectVersion("x", uint64(round))
			won := h.race(racers, func(int) ([]eventstore.Event, []eventstore.Condition) { return batch, []eventstore.Condition{version} })
			equal(h, "acknowledged", won, racers)
			equal(h, "head", h.head(), eventstore.Position(2*round+2))
		}
	}},
	{"NothingAcknowledgedIsLost", func(h *harness) {
		const appenders, each = 8, 40
		var group sync.WaitGroup
		acknowledged := make([][]eventstore.Recorded, appenders)
		for i := range appenders {
			group.Go(func() {
				for n := range each {
					acknowledged[i] = append(acknowledged[i], h.append(event("a", fmt.Sprint("s", n%5), fmt.Sprint("t", n%3)))...)
				}
			})
		}
		group.Wait()
		all := h.all(eventstore.All())
		equal(h, "events", len(all), appenders*each)
		versions := map[string]uint64{}
		for i, r := range all {
			versions[r.Stream]++
			equal(h, "position and version", []uint64{uint64(r.Position), r.Version}, []uint64{uint64(i + 1), versions[r.Stream]})
		}
		for _, mine := range acknowledged {
			var last eventstore.Position
			for _, r := range mine {
				equal(h, "acknowledged", r, all[r.Position-1])
				h.check(r.Position > last, "position %d after %d in one goroutine", r.Position, last)
				last = r.Position
			}
		}
	}},
	{"AccountsAreNeverOverdrawn", func(h *harness) {
		// Each decides on what it has read, under the condition that nothing
		// came meanwhile: the sum of two accounts stays at or above zero.
		q := eventstore.Match(eventstore.Item{Tags: []string{"a"}}, eventstore.Item{Tags: []string{"b"}})
		h.append(event("in", "", "a"), event("in", "", "b"), event("in", "", "a"))
		var conflicts atomic.Int32
		var group sync.WaitGroup
		for i := range 6 {
			tag := []string{"a", "b"}[i%2]
			group.Go(func() {
				for {
					balance, at := 0, eventstore.Position(0)
					for _, r := range h.all(q) {
						if at = r.Position; r.Type == "in" {
							balance++
						} else {
							balance--
						}
					}
					h.check(balance >= 0, "balance %d", balance)
					if balance == 0 {
						return
					}
					_, err := h.store.Append(h.ctx, one("out", "", tag), eventstore.ExpectNone(q, at))
					if _, ok := errors.AsType[*eventstore.ConflictError](err); ok {
						conflicts.Add(1)
						continue
					}
					h.ok(err)
				}
			})
		}
		group.Wait()
		equal(h, "head", h.head(), 6)
	}},
}

// race lets that many append at once, each with a batch of its own, and
// returns how many were not refused by a condition.
func (h *harness) race(racers int, batch func(i int) ([]eventstore.Event, []eventstore.Condition)) (won int) {
	h.Helper()
	var group sync.WaitGroup
	start := make(chan struct{})
	errs := make(chan error, racers)
	for i := range racers {
		events, conds := batch(i)
		group.Go(func() {
			<-start
			_, err := h.store.Append(h.ctx, events, conds...)
			errs <- err
		})
	}
	close(start)
	group.Wait()
	close(errs)
	for err := range errs {
		if _, conflict := errors.AsType[*eventstore.ConflictError](err); conflict {
			continue
		}
		h.ok(err)
		won++
	}
	return won
}
