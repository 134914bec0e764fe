package eventstore

import (
	"context"
	"sync"
)

// memoryLease is a lease that is held.
type memoryLease struct {
	m    *memory
	key  string
	lost chan struct{}
	once sync.Once
}

func (m *memory) Lease(ctx context.Context, key string) (Lease, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m.mu.Lock()
		held := m.leases[key]
		if held == nil {
			l := &memoryLease{m: m, key: key, lost: make(chan struct{})}
			m.leases[key] = l
			m.mu.Unlock()
			return l, nil
		}
		m.mu.Unlock()
		select {
		case <-held.lost:
		case <-ctx.Done():
		}
	}
}

func (l *memoryLease) Lost() <-chan struct{} { return l.lost }

func (l *memoryLease) Release() {
	l.once.Do(func() {
		l.m.mu.Lock()
		delete(l.m.leases, l.key)
		l.m.mu.Unlock()
		close(l.lost)
		l.m.tell(Notice{Key: l.key})
	})
}
