package heavy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"example.com/signals/eventstore"
	"pgregory.net/rapid"
)

// stateMachine calls what a Store and its durable listeners call of the
// backend, at random, and compares each answer with the model's.
func stateMachine(t *testing.T, open func(t *testing.T) eventstore.Backend) {
	rapid.Check(t, func(rt *rapid.T) {
		b, giveBack := lend(t, open)
		defer giveBack()
		m := &machine{T: rt, backend: b, store: eventstore.New(b), keys: map[string]*keyState{}, next: counter("id")}
		defer m.store.Close(context.Background())
		actions := map[string]func(*rapid.T){"append": m.append, "read": m.read, "": m.head}
		if c, ok := b.(eventstore.Checkpoints); ok {
			m.checkpoints = c
			actions["open key"], actions["advance"] = m.openKey, m.advance
			actions["redeliver or discard"], actions["delete key"] = m.settle, m.deleteKey
		}
		rt.Repeat(actions)
		if c, ok := b.(eventstore.Checker); ok {
			m.ok(c.Check(m.Context()))
		}
	})
}

// lend opens a backend in a test of its own, which ends when it is given back.
func lend(t *testing.T, open func(t *testing.T) eventstore.Backend) (eventstore.Backend, func()) {
	opened, done, ended := make(chan eventstore.Backend, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t.Run("backend", func(t *testing.T) {
			defer close(opened) // also if open ends the test
			opened <- open(t)
			<-done
		})
	}()
	b := <-opened
	if b == nil {
		<-ended
		t.Skip("there is no backend")
	}
	return b, func() {
		close(done)
		<-ended
	}
}

type machine struct {
	*rapid.T
	backend     eventstore.Backend
	store       *eventstore.Store
	checkpoints eventstore.Checkpoints
	history     history
	keys        map[string]*keyState
	next        func() string
}

// keyState is a checkpoint as the model has it.
type keyState struct {
	at   eventstore.Position
	dead map[eventstore.Position]bool // whether it is requested

	identity, event string // that the last move gave
}

func (m *machine) ok(err error) {
	if err != nil {
		m.Fatalf("unexpected error: %v", err)
	}
}

func (m *machine) append(t *rapid.T) {
	batch := drawBatch(t, m.history, m.next)
	var conds []eventstore.Condition
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		conds = append(conds, drawCondition(t, m.history))
	}
	b, err := eventstore.NewBatch(batch, conds...)
	if err != nil { // a stored id twice
		return
	}
	got, err := m.backend.Append(m.Context(), b)
	is := outcome(err)
	if err == nil && got.Known {
		is = known
	}
	want, events, next := m.history.append(batch, conds)
	if is != want || !equal(got.Events, events) {
		t.Fatalf("append of %v under %v:\n got %s %s\nwant %s %s", batch, conds, is, text(got.Events), want, text(events))
	}
	m.history = next
}

func (m *machine) read(t *rapid.T) {
	q := drawQuery(t)
	after := rapid.IntRange(0, len(m.history)+1).Draw(t, "after")
	until := rapid.IntRange(0, len(m.history)+1).Draw(t, "until")
	limit := rapid.IntRange(1, 5).Draw(t, "limit")
	opts := []eventstore.ReadOption{eventstore.After(eventstore.Position(after)), eventstore.Until(eventstore.Position(until)), eventstore.Limit(limit)}
	want := m.history[:min(until, len(m.history))]
	want = want[min(after, len(want)):].matching(q)
	if rapid.Bool().Draw(t, "backward") {
		opts = append(opts, eventstore.Backward())
		want = slices.Clone(want)
		slices.Reverse(want)
	}
	want = want[:min(limit, len(want))]
	var got []eventstore.Recorded
	for r, err := range m.store.Read(m.Context(), q, opts...) {
		m.ok(err)
		got = append(got, r)
	}
	if !equal(got, want) {
		t.Fatalf("read of %s after %d until %d, %d options:\n got %s\nwant %s", q, after, until, len(opts), text(got), text(want))
	}
}

func (m *machine) head(t *rapid.T) {
	head, err := m.backend.Head(m.Context())
	m.ok(err)
	if int(head) != len(m.history) {
		t.Fatalf("head %d; want %d", head, len(m.history))
	}
}

func (m *machine) key(t *rapid.T) (string, *keyState) {
	key := rapid.SampledFrom([]string{"k0", "k1"}).Draw(t, "key")
	return key, m.keys[key]
}

func (m *machine) openKey(t *rapid.T) {
	key, state := m.key(t)
	start := eventstore.Position(rapid.IntRange(0, len(m.history)).Draw(t, "start"))
	if state == nil {
		state = &keyState{at: start, dead: map[eventstore.Position]bool{}}
		m.keys[key] = state
	}
	c, err := m.checkpoints.OpenKey(m.Context(), key, start)
	m.ok(err)
	if c.Position != state.at || c.Dead != len(state.dead) {
		t.Fatalf("open key: got %+v; want %+v", c, state)
	}
}

func (m *machine) advance(t *rapid.T) {
	key, state := m.key(t)
	from := eventstore.Position(rapid.IntRange(0, len(m.history)).Draw(t, "from"))
	if state != nil && rapid.IntRange(0, 3).Draw(t, "right") > 0 {
		from = state.at
	}
	move := eventstore.Move{Key: key, From: from, To: eventstore.Position(rapid.IntRange(int(from), max(int(from), len(m.history))).Draw(t, "to"))}
	for _, p := range m.drawPositions(t, "dead") {
		if p <= move.To {
			move.Dead = append(move.Dead, eventstore.Dead{Position: p, Err: "e", Attempts: 1})
		}
	}
	move.Settled = m.drawPositions(t, "settled")
	move.Settled = slices.DeleteFunc(move.Settled, func(p eventstore.Position) bool { return p > from })
	move.Identity = rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "identity")
	if move.To > 0 {
		move.EventID = m.history[move.To-1].ID
	}
	err := m.checkpoints.Advance(m.Context(), move, nil)
	if state == nil || state.at != from {
		if !errors.Is(err, eventstore.ErrMoved) {
			t.Fatalf("advance %+v from elsewhere: error %v", move, err)
		}
		return
	}
	m.ok(err)
	for _, d := range move.Dead {
		if _, there := state.dead[d.Position]; there || d.Position > from {
			state.dead[d.Position] = false
		}
	}
	for _, p := range move.Settled {
		delete(state.dead, p)
	}
	state.at, state.identity, state.event = move.To, move.Identity, move.EventID
	m.compare(t, key)
}

func (m *machine) drawPositions(t *rapid.T, label string) []eventstore.Position {
	if len(m.history) == 0 {
		return nil
	}
	return rapid.SliceOfNDistinct(rapid.Map(rapid.IntRange(1, len(m.history)), func(p int) eventstore.Position {
		return eventstore.Position(p)
	}), 0, 2, rapid.ID[eventstore.Position]).Draw(t, label)
}

func (m *machine) settle(t *rapid.T) {
	key, state := m.key(t)
	if state == nil {
		return
	}
	discard := rapid.Bool().Draw(t, "discard")
	positions := m.drawPositions(t, "positions")
	call := m.checkpoints.Redeliver
	if discard {
		call = m.checkpoints.Discard
	}
	err := call(m.Context(), key, positions...)
	for _, p := range positions {
		if _, there := state.dead[p]; !there {
			if err == nil {
				t.Fatalf("there is no dead letter %d, and no error", p)
			}
			m.compare(t, key)
			return
		}
	}
	m.ok(err)
	if len(positions) == 0 {
		positions = slices.Collect(maps.Keys(state.dead))
	}
	for _, p := range positions {
		if state.dead[p] = true; discard {
			delete(state.dead, p)
		}
	}
	m.compare(t, key)
}

func (m *machine) deleteKey(t *rapid.T) {
	key, _ := m.key(t)
	m.ok(m.checkpoints.DeleteKey(m.Context(), key))
	delete(m.keys, key)
}

// compare looks at the key's checkpoint and its dead letters.
func (m *machine) compare(t *rapid.T, key string) {
	state := m.keys[key]
	found, err := m.checkpoints.Keys(m.Context(), key)
	m.ok(err)
	letters, err := m.checkpoints.DeadLetters(m.Context(), key, 0, 1000)
	m.ok(err)
	var got, want []string
	for _, d := range letters {
		got = append(got, fmt.Sprint(d.Position, d.Requested, d.ID == m.history[d.Position-1].ID))
	}
	for _, p := range slices.Sorted(maps.Keys(state.dead)) {
		want = append(want, fmt.Sprint(p, state.dead[p], true))
	}
	if len(found) != 1 || found[0].Position != state.at || found[0].Identity != state.identity || found[0].EventID != state.event || found[0].Dead != len(state.dead) || !slices.Equal(got, want) {
		t.Fatalf("key %s: got %+v, dead letters %v; want %+v, %v", key, found, got, state, want)
	}
}
