package signals

import (
	"unsafe"

	"example.com/signals/internal/listen"
)

// MaxBatch bounds the number of emissions in a call of a listener of
// SubscribeBatch. Without it, and above it, the bound is a chunk of the log: up to
// 256 emissions, and at least 8 if they are large.
func MaxBatch(n int) ListenerOption {
	if n < 1 {
		return wrongListenerOption("MaxBatch(%d): want 1 or more", n)
	}
	return func(c *listenerConfig) { c.maxBatch, c.asyncOnly = n, "MaxBatch" }
}

// enrollBatch begins the registration of a listener of batches; fn is the address
// of the function.
//
//go:noinline
func (b *base) enrollBatch(ops any, fn unsafe.Pointer) *registration {
	r := b.enrollAsync(ops, "SubscribeBatch", nil, nil)
	r.h.Batch = *(*unsafe.Pointer)(fn)
	return r
}

// checkBatch notes what makes no sense with batches, or without.
func (c *listenerConfig) checkBatch(h *listen.Handler) {
	switch {
	case h.Batch == nil && c.maxBatch > 0:
		c.wrong("MaxBatch(%d) is an option of SubscribeBatch", c.maxBatch)
	case h.Batch == nil:
	case c.once:
		c.wrong("Once makes no sense with batches; use Subscribe")
	case c.concurrency > 1:
		c.wrong("batches come one at a time; Concurrency(%d) makes no sense", c.concurrency)
	}
}
