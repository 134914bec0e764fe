package sqlite

// cache is a bounded map in two generations: what was not used while one grew
// full is forgotten. Not safe for concurrent use.
type cache[K comparable, V any] struct {
	max      int
	now, old map[K]V
	turned   func() // called when a generation is forgotten; may be nil
}

func newCache[K comparable, V any](max int) *cache[K, V] {
	return &cache[K, V]{max: max, now: map[K]V{}}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	v, ok := c.now[k]
	if ok {
		return v, true
	}
	if v, ok = c.old[k]; ok {
		c.put(k, v)
	}
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) {
	if len(c.now) >= c.max {
		if _, there := c.now[k]; !there {
			c.old, c.now = c.now, make(map[K]V, c.max)
			if c.turned != nil {
				c.turned()
			}
		}
	}
	c.now[k] = v
}

func (c *cache[K, V]) clear() { c.now, c.old = map[K]V{}, nil }
