package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"example.com/signals/eventstore"
)

var modelCases = []testCase{
	{"RandomCallsBehaveAsTheModel", func(h *harness) {
		seed := uint64(time.Now().UnixNano())
		h.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		m := &model{}
		for range 400 {
			batch, conds := m.randomAppend(random)
			stored, err := h.store.Append(h.ctx, batch, conds...)
			want, known, refused := m.append(batch, conds)
			equal(h, "outcome", outcome(err), refused)
			h.check(err != nil || len(stored) == len(want), "%d events stored of %d", len(stored), len(want))
			for i := range stored {
				if !known {
					want[i].Time, want[i].Stored = stored[i].Time, stored[i].Stored
					m.events[want[i].Position-1] = want[i]
				}
				equal(h, "stored", stored[i], want[i])
			}
			if random.IntN(4) == 0 {
				q := randomQuery(random)
				equal(h, q.String(), h.all(q), matching(m.events, q))
			}
		}
		equal(h, "events", h.all(eventstore.All()), m.events)
	}},
}

// model is a store as one would write it down: a list, and a look at all of it
// for each question.
type model struct{ events []eventstore.Recorded }

// randomAppend returns a batch that is sometimes known, or a duplicate, and
// conditions that hold or nearly do.
func (m *model) randomAppend(random *rand.Rand) (batch []eventstore.Event, conds []eventstore.Condition) {
	for _, i := range random.Perm(60)[:1+random.IntN(3)] {
		e := events(60)[i]
		e.ID = fmt.Sprintf("id%d", random.IntN(1000)*60+i)
		e.Schema = 1
		slices.Sort(e.Tags)
		batch = append(batch, e)
	}
	if len(m.events) > 0 && random.IntN(4) == 0 { // one or two that are stored
		from := random.IntN(len(m.events))
		batch = nil
		for _, r := range m.events[from:min(from+1+random.IntN(2), len(m.events))] {
			batch = append(batch, r.Event)
		}
		if random.IntN(3) == 0 {
			batch[0].Data = []byte("other")
		}
		if random.IntN(3) == 0 {
			batch = append(batch, eventstore.Event{ID: fmt.Sprint("new", len(m.events), random.Uint32()), Type: "A", Schema: 1})
		}
	}
	for range random.IntN(3) {
		stream := fmt.Sprintf("s%d", random.IntN(8))
		switch random.IntN(3) {
		case 0:
			conds = append(conds, eventstore.ExpectVersion(stream, uint64(max(0, m.version(stream)+random.IntN(4)/3))))
		case 1:
			conds = append(conds, eventstore.ExpectStream(stream))
		default:
			conds = append(conds, eventstore.ExpectNone(randomQuery(random), eventstore.Position(max(0, len(m.events)-random.IntN(4)))))
		}
	}
	return batch, conds
}

func (m *model) version(stream string) int {
	return len(matching(m.events, eventstore.OfStream(stream)))
}

// append says what Append does: what it stores or has stored, or why not.
func (m *model) append(batch []eventstore.Event, conds []eventstore.Condition) (stored []eventstore.Recorded, known bool, refused string) {
	for _, e := range batch {
		i := slices.IndexFunc(m.events, func(r eventstore.Recorded) bool { return r.ID == e.ID })
		if i < 0 {
			continue
		}
		if r := m.events[i]; string(r.Data) != string(e.Data) {
			return nil, false, "duplicate"
		}
		stored = append(stored, m.events[i])
	}
	if len(stored) == len(batch) {
		return stored, true, ""
	}
	if stored != nil {
		return nil, false, "duplicate"
	}
	for _, c := range conds {
		found := len(m.events)
		switch c.Kind {
		case eventstore.StreamAtVersion:
			found = m.version(c.Stream) - int(c.Version)
		case eventstore.StreamExists:
			found = min(0, m.version(c.Stream)-1)
		case eventstore.NoneAfter:
			found = len(matching(m.events[c.After:], c.Query))
		}
		if found != 0 {
			return nil, false, "conflict"
		}
	}
	for _, e := range batch {
		r := eventstore.Recorded{Event: e.Clone(), Position: eventstore.Position(len(m.events) + 1)}
		m.events = append(m.events, r)
		if e.Stream != "" {
			m.events[len(m.events)-1].Version = uint64(m.version(e.Stream))
		}
		stored = append(stored, m.events[len(m.events)-1])
	}
	return stored, false, ""
}

// outcome names an Append's error as the model does.
func outcome(err error) string {
	if _, ok := errors.AsType[*eventstore.ConflictError](err); ok {
		return "conflict"
	}
	if _, ok := errors.AsType[*eventstore.DuplicateError](err); ok {
		return "duplicate"
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
