package eventstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
)

func (m *memory) SubjectKey(ctx context.Context, subject string) (string, []byte, error) {
	if err := ctx.Err(); err != nil {
		return "", nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.subjects[subject]
	if !ok {
		key := make([]byte, 32)
		rand.Read(key) // never fails
		id = newID()
		m.subjects[subject], m.keys[id] = id, key
	}
	return id, bytes.Clone(m.keys[id]), nil
}

func (m *memory) KeyByID(ctx context.Context, id string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if key, ok := m.keys[id]; ok {
		return bytes.Clone(key), ctx.Err()
	}
	return nil, fmt.Errorf("memory: key %s: %w", id, ErrErased)
}

func (m *memory) ForgetSubject(ctx context.Context, subject string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if id, ok := m.subjects[subject]; ok {
		clear(m.keys[id])
		delete(m.keys, id)
		delete(m.subjects, subject)
	}
	return nil
}
