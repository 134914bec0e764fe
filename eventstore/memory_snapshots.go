package eventstore

import (
	"bytes"
	"context"
	"maps"
	"time"
)

// memorySnapshot is what there is one snapshot for.
type memorySnapshot struct {
	name    string
	version int
}

func (s Snapshot) clone() Snapshot {
	s.Data, s.Sum = bytes.Clone(s.Data), bytes.Clone(s.Sum)
	s.Taken = s.Taken.In(time.UTC).Round(0)
	return s
}

func (m *memory) SaveSnapshot(ctx context.Context, s Snapshot) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := memorySnapshot{s.Name, s.Version}
	if old, ok := m.snapshots[at]; !ok || old.Position <= s.Position {
		m.snapshots[at] = s.clone()
	}
	return nil
}

func (m *memory) LoadSnapshot(ctx context.Context, name string, version int) (Snapshot, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s, ok := m.snapshots[memorySnapshot{name, version}]
	return s.clone(), ok, ctx.Err()
}

func (m *memory) DropSnapshots(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.snapshots, func(at memorySnapshot, _ Snapshot) bool { return name == "" || at.name == name })
	return nil
}
