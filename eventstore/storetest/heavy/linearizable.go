package heavy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"github.com/anishathalye/porcupine"
)

// Linearizable lets appenders with conditions, who decide on what they have
// read, and readers call the backends at once, and checks that there is an order
// of all calls that explains every answer, and in which no call comes before one
// that had returned when it began. The backends are of one empty store: in one
// process, or as several processes would have them.
func Linearizable(t *testing.T, backends ...eventstore.Backend) {
	t.Helper()
	const clients, each = 8, 40
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	began := time.Now()
	histories := make([][]porcupine.Operation, clients)
	var group sync.WaitGroup
	for i := range clients {
		c := &client{
			number: i, store: eventstore.New(backends[i%len(backends)]),
			random: rand.New(rand.NewPCG(seed, uint64(i))), next: counter(fmt.Sprintf("c%d-", i)),
		}
		group.Go(func() {
			defer c.store.Close(ctx)
			for range each {
				in := c.decide()
				call := time.Since(began)
				out := in.run(ctx, c.store)
				histories[i] = append(histories[i], porcupine.Operation{
					ClientId: i, Input: in, Call: int64(call), Output: out, Return: int64(time.Since(began)),
				})
				c.saw(in, out)
			}
		})
	}
	group.Wait()
	all := slices.Concat(histories...)
	outcomes := map[string]int{}
	for _, op := range all {
		outcomes[op.Output.(answer).outcome]++
	}
	t.Logf("%d calls: %v", len(all), outcomes)
	for _, is := range []string{stored, conflict} {
		if outcomes[is] == 0 {
			t.Errorf("no call was %s: this shows nothing", is)
		}
	}
	result, info := porcupine.CheckOperationsVerbose(model, all, time.Minute)
	if result == porcupine.Ok {
		return
	}
	path := t.ArtifactDir() + "/linearizability.html"
	if err := porcupine.VisualizePath(model, info, path); err != nil {
		t.Error(err)
	}
	t.Errorf("the calls are not linearizable (%s): see %s, kept with -artifacts", result, path)
}

// question is a call of the store, answer what it returned.
type question struct {
	batch []eventstore.Event // to be appended; else the query is read
	conds []eventstore.Condition
	query eventstore.Query
}

type answer struct {
	outcome string
	events  []eventstore.Recorded
}

func (q question) run(ctx context.Context, s *eventstore.Store) (a answer) {
	if q.batch != nil {
		events, err := s.Append(ctx, q.batch, q.conds...)
		return answer{outcome(err), events}
	}
	a.outcome = "read"
	for r, err := range s.Read(ctx, q.query) {
		if err != nil {
			return answer{outcome: err.Error()}
		}
		a.events = append(a.events, r)
	}
	return a
}

// client decides on what it has read last, as Decide does.
type client struct {
	number int
	store  *eventstore.Store
	random *rand.Rand
	next   func() string
	read   *question
	last   eventstore.Position  // of what was read
	own    [][]eventstore.Event // that it has appended
}

func (c *client) pick(names []string) string { return names[c.random.IntN(len(names))] }

func (c *client) decide() question {
	if c.read == nil && c.random.IntN(3) > 0 {
		tag := c.pick(tags)
		return question{query: eventstore.Match(eventstore.Item{Tags: []string{tag}}, eventstore.Item{Stream: c.pick(streams[1:])})}
	}
	if len(c.own) > 0 && c.random.IntN(6) == 0 { // a retry
		return question{batch: c.own[c.random.IntN(len(c.own))], conds: []eventstore.Condition{eventstore.ExpectVersion("s0", 0)}}
	}
	q := question{}
	for range 1 + c.random.IntN(2) {
		q.batch = append(q.batch, eventstore.Event{ID: c.next(), Type: c.pick(types), Schema: 1, Stream: c.pick(streams), Tags: []string{c.pick(tags)}})
	}
	if c.read != nil {
		q.conds = []eventstore.Condition{eventstore.ExpectNone(c.read.query, c.last)}
	}
	return q
}

// saw remembers what the next decision is made on.
func (c *client) saw(q question, a answer) {
	if q.batch == nil {
		c.read, c.last = &q, 0
		for _, r := range a.events {
			c.last = r.Position
		}
		return
	}
	if a.outcome == stored {
		c.own = append(c.own, q.batch)
	}
	if c.random.IntN(3) > 0 { // else it decides once more on what is old by now
		c.read = nil
	}
}

// model is the store as porcupine sees it. Its state is a history; histories of
// the same length with the same last event are the same, as ids are.
var model = porcupine.Model{
	Init: func() any { return history(nil) },
	Step: func(state, input, output any) (bool, any) {
		h, q, a := state.(history), input.(question), output.(answer)
		if q.batch == nil {
			return a.outcome == "read" && equal(a.events, h.matching(q.query)), h
		}
		is, events, next := h.append(q.batch, q.conds)
		if is == known {
			is = stored // Append does not say which
		}
		return a.outcome == is && equal(a.events, events), next
	},
	Equal: func(a, b any) bool { return equal(a.(history), b.(history)) },
	DescribeOperation: func(input, output any) string {
		q, a := input.(question), output.(answer)
		if q.batch == nil {
			return fmt.Sprintf("read %s: %s", q.query, text(a.events))
		}
		return fmt.Sprintf("append %v under %v: %s %s", q.batch, q.conds, a.outcome, text(a.events))
	},
	DescribeState: func(state any) string { return text(state.(history)) },
}
