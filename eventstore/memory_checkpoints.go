package eventstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// memoryCheckpoint is a key's checkpoint with its dead letters. Under
// memory.mu.
type memoryCheckpoint struct {
	Checkpoint
	dead map[Position]DeadLetter // without their events
}

func (c *memoryCheckpoint) public() Checkpoint {
	out := c.Checkpoint
	out.Dead = len(c.dead)
	return out
}

func (m *memory) OpenKey(ctx context.Context, key string, start Position) (Checkpoint, error) {
	if err := ctx.Err(); err != nil {
		return Checkpoint{}, err
	}
	defer m.tell(Notice{Key: key})
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.checkpoints[key]
	if c == nil {
		c = &memoryCheckpoint{Checkpoint{Key: key, Position: start, Updated: time.Now().UTC().Round(0)}, map[Position]DeadLetter{}}
		m.checkpoints[key] = c
	}
	return c.public(), nil
}

func (m *memory) Keys(ctx context.Context, keys ...string) (out []Checkpoint, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for key, c := range m.checkpoints {
		if len(keys) == 0 || slices.Contains(keys, key) {
			out = append(out, c.public())
		}
	}
	slices.SortFunc(out, func(a, b Checkpoint) int { return strings.Compare(a.Key, b.Key) })
	return out, ctx.Err()
}

func (m *memory) DeleteKey(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer m.tell(Notice{Key: key})
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.checkpoints, key)
	return nil
}

// Advance supports no apply: nobody has tables here.
func (m *memory) Advance(ctx context.Context, move Move, apply func(context.Context, any) error) error {
	if apply != nil {
		return fmt.Errorf("memory: a projection in a transaction: %w", ErrUnsupported)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	defer m.tell(Notice{Key: move.Key})
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.checkpoints[move.Key]
	switch {
	case c == nil:
		return fmt.Errorf("memory: key %q has no checkpoint: %w", move.Key, ErrMoved)
	case c.Position != move.From:
		return fmt.Errorf("memory: key %q is at %d, not at %d: %w", move.Key, c.Position, move.From, ErrMoved)
	}
	for _, d := range move.Dead {
		if _, there := c.dead[d.Position]; there || d.Position > move.From {
			c.dead[d.Position] = DeadLetter{Key: move.Key, Err: d.Err, Attempts: d.Attempts, First: d.First.UTC().Round(0), Last: d.Last.UTC().Round(0)}
		}
	}
	for _, p := range move.Settled {
		delete(c.dead, p)
	}
	c.Position, c.Stopped, c.Updated = move.To, move.Stopped, time.Now().UTC().Round(0)
	c.Identity, c.EventID = move.Identity, move.EventID
	return nil
}

func (m *memory) DeadLetters(ctx context.Context, key string, after Position, limit int) (out []DeadLetter, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	c := m.checkpoints[key]
	if c == nil {
		return nil, ctx.Err()
	}
	for _, p := range slices.Sorted(maps.Keys(c.dead)) {
		if p > after && len(out) < limit {
			d := c.dead[p]
			d.Recorded = m.events[p-1].Clone()
			out = append(out, d)
		}
	}
	return out, ctx.Err()
}

func (m *memory) Redeliver(ctx context.Context, key string, positions ...Position) error {
	return m.settle(ctx, key, positions, func(c *memoryCheckpoint, p Position) {
		d := c.dead[p]
		d.Requested = true
		c.dead[p] = d
	})
}

func (m *memory) Discard(ctx context.Context, key string, positions ...Position) error {
	return m.settle(ctx, key, positions, func(c *memoryCheckpoint, p Position) { delete(c.dead, p) })
}

// settle calls change with each of the dead letters that are meant.
func (m *memory) settle(ctx context.Context, key string, positions []Position, change func(*memoryCheckpoint, Position)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer m.tell(Notice{Key: key})
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.checkpoints[key]
	if c == nil {
		c = &memoryCheckpoint{}
	}
	if len(positions) == 0 {
		positions = slices.Collect(maps.Keys(c.dead))
	}
	for _, p := range positions {
		if _, ok := c.dead[p]; !ok {
			return fmt.Errorf("memory: key %q has no dead letter at position %d", key, p)
		}
	}
	for _, p := range positions {
		change(c, p)
	}
	return nil
}
