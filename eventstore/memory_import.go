package eventstore

import (
	"context"
	"fmt"
)

func (m *memory) Import(ctx context.Context, identity string, events []Recorded) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	imported, err := m.importAll(identity, events)
	if err == nil && len(imported) > 0 {
		m.tell(Notice{Events: imported})
	}
	return err
}

// importAll checks everything before it stores anything.
func (m *memory) importAll(identity string, events []Recorded) ([]Recorded, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.events) > 0 && m.identity != identity {
		return nil, fmt.Errorf("memory: import of history %s into a store with history %s: want an empty store", identity, m.identity)
	}
	ids, versions := map[string]bool{}, map[string]uint64{}
	for i, r := range events {
		if want := m.headLocked() + Position(i+1); r.Position != want {
			return nil, fmt.Errorf("memory: import of position %d where %d comes next", r.Position, want)
		}
		if _, taken := m.ids[r.ID]; taken || ids[r.ID] {
			return nil, fmt.Errorf("memory: import of position %d: its id %q is taken", r.Position, r.ID)
		}
		ids[r.ID] = true
		var version uint64
		if r.Stream != "" {
			versions[r.Stream]++
			version = uint64(len(m.byStream[r.Stream])) + versions[r.Stream]
		}
		if r.Version != version {
			return nil, fmt.Errorf("memory: import of position %d: version %d of stream %q where %d comes next", r.Position, r.Version, r.Stream, version)
		}
	}
	m.identity = identity
	from := len(m.events)
	for _, r := range events {
		m.storeLocked(r.Clone())
	}
	return m.events[from:len(m.events):len(m.events)], nil
}
