package eventstore

import "context"

func (m *memory) ChecksumsAfter(ctx context.Context, after Position, limit int) ([]Checksum, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Checksum
	for p := after; p < m.headLocked() && len(out) < limit; p++ {
		out = append(out, Checksum{m.sums[p], true})
	}
	return out, nil
}
