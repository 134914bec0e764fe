package eventstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
)

// memoryKey is a key that was made or taken over.
type memoryKey struct {
	subject string // "": it was forgotten
	key     []byte
	older   bool // not the one in memory.subjects
}

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
		m.subjects[subject], m.keys[id] = id, memoryKey{subject: subject, key: key}
	}
	return id, bytes.Clone(m.keys[id].key), nil
}

func (m *memory) KeyByID(ctx context.Context, id string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if k := m.keys[id]; k.subject != "" {
		return bytes.Clone(k.key), ctx.Err()
	}
	return nil, fmt.Errorf("memory: key %s: %w", id, ErrErased)
}

func (m *memory) ForgetSubject(ctx context.Context, subject string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, k := range m.keys {
		if k.subject == subject {
			m.forgetLocked(id)
		}
	}
	return nil
}

// forgetLocked destroys a key, remembers that, and reports whether there was one.
func (m *memory) forgetLocked(id string) bool {
	k := m.keys[id]
	clear(k.key)
	m.keys[id] = memoryKey{}
	if k.subject != "" && !k.older {
		delete(m.subjects, k.subject)
	}
	return k.subject != ""
}

func (m *memory) SubjectKeys(ctx context.Context, after string, limit int) ([]SubjectKey, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []SubjectKey
	for _, id := range slices.Sorted(maps.Keys(m.keys)) {
		if id > after && len(out) < limit {
			k := m.keys[id]
			out = append(out, SubjectKey{ID: id, Subject: k.subject, Key: bytes.Clone(k.key), Older: k.older})
		}
	}
	return out, ctx.Err()
}

func (m *memory) ImportSubjectKeys(ctx context.Context, keys []SubjectKey) (done KeysImported, err error) {
	if err := ctx.Err(); err != nil {
		return done, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		if own := m.keys[k.ID]; !k.Forgotten() && own.subject != "" && (own.subject != k.Subject || !bytes.Equal(own.key, k.Key)) {
			return done, fmt.Errorf("memory: import of keys: %s is here with another subject or key", k.ID)
		}
	}
	for _, k := range keys {
		_, known := m.keys[k.ID]
		switch {
		case k.Forgotten():
			if m.forgetLocked(k.ID) {
				done.Forgotten++
			}
		case !known:
			_, has := m.subjects[k.Subject]
			if !has && !k.Older {
				m.subjects[k.Subject] = k.ID
			}
			m.keys[k.ID] = memoryKey{k.Subject, bytes.Clone(k.Key), has || k.Older}
			done.Taken++
		}
	}
	return done, nil
}
