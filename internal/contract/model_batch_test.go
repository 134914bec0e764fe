package contract_test

import (
	"fmt"
	"slices"
)

// share is how many a listener of batches takes from the head of its line.
func (m *model) share(l *modelListener) int {
	first := l.line[0]
	n := 1
	for n < min(len(l.line), l.batch) {
		e := l.line[n]
		if (e.at-m.base)/perChunk != (first.at-m.base)/perChunk || l.replayed[e] != l.replayed[first] {
			break
		}
		if slices.ContainsFunc(m.waits, func(op *modelOp) bool {
			return !op.done && op.kind != opWait && first.at < op.at && op.at <= e.at
		}) {
			break
		}
		n++
	}
	return n
}

// beginBatch starts a call of a listener of batches.
func (m *model) beginBatch(l *modelListener) {
	n := m.share(l)
	c := &modelCall{e: l.line[0], rest: l.line[:n:n], filtering: l.filter}
	l.line = l.line[n:]
	l.calls = append(l.calls, c)
	if !c.filtering {
		c.in, c.rest = c.rest, nil
		m.enterBatch(l, c)
	}
}

// filteredOne ends the Filter of the first emission in a batch that it has not seen.
func (m *model) filteredOne(l *modelListener, c *modelCall) {
	switch verdict(l.id, c.e.payload) {
	case "pass":
		c.in = append(c.in, c.e)
	case "panic":
		c.failed = append(c.failed, c.e)
	default:
		c.out = append(c.out, c.e)
	}
	c.rest = c.rest[1:]
	switch {
	case !l.listed: // removed meanwhile
		m.loseBatch(l, c)
	case len(c.rest) > 0:
		c.e = c.rest[0]
	default:
		c.filtering = false
		m.enterBatch(l, c)
	}
}

// enterBatch calls the listener with those that have passed, if there are some.
func (m *model) enterBatch(l *modelListener, c *modelCall) {
	if len(c.in) == 0 {
		m.endBatch(l, c, "")
		return
	}
	if c.e = c.in[0]; m.wraps(l, c) != "refuses" {
		l.got = append(l.got, c.payloads()...)
	}
}

// loseBatch drops a batch whose listener was removed before it.
func (m *model) loseBatch(l *modelListener, c *modelCall) {
	m.failFilters(l, c)
	l.calls = nil
	for _, e := range slices.Concat(c.in, c.failed, c.out, c.rest) {
		l.dropped++
		m.dropped++
		m.through(l, e, "dropped")
	}
	m.admit()
}

func (m *model) failFilters(l *modelListener, c *modelCall) {
	for _, e := range c.failed {
		l.failed++
		m.failures = append(m.failures, fmt.Sprintf("%s %d %s", l.key, []int{e.payload}, "panic"))
	}
}

func (c *modelCall) payloads() (all []int) {
	for _, e := range c.in {
		all = append(all, e.payload)
	}
	return all
}

// size is how many emissions a call has, or of how many one has come.
func (c *modelCall) size() int { return max(1, len(c.in)+len(c.failed)+len(c.out)+len(c.rest)) }

// endBatch ends a call whose deliveries but one have not been counted.
func (m *model) endBatch(l *modelListener, c *modelCall, err string) {
	if more := len(c.in) - 1; more > 0 {
		l.run += more
		m.run += more
	}
	err = m.outcome(l, c.payloads(), err)
	m.failFilters(l, c)
	l.calls = slices.DeleteFunc(l.calls, func(d *modelCall) bool { return d == c })
	for _, e := range c.in {
		m.through(l, e, err)
	}
	for _, e := range c.failed {
		m.through(l, e, "panic")
	}
	for _, e := range c.out {
		m.through(l, e, "")
	}
	m.admit()
}

// cancelled reports whether the context of a call must have been cancelled.
func (m *model) cancelled(l *modelListener, c *modelCall) bool {
	op := c.e.op
	return m.gaveUp || !l.listed && !l.once ||
		op.kind == opEmitWait && op.ended && l.batch == 0 && !l.replayed[c.e]
}
