// Package tally counts, and samples how long calls took, at a price that a
// path of some nanoseconds can pay. Everything in it may be used from any
// goroutine.
package tally

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Counter is striped so that goroutines on different processors do not write
// to one cache line. A nil Counter reads 0.
type Counter struct {
	stripes []stripe // a power of two
}

type stripe struct {
	n atomic.Uint64
	_ [56]byte // to a cache line of its own
}

// NewCounter makes a counter for the processors that there are.
func NewCounter() *Counter {
	n := 1
	for n < 4*runtime.GOMAXPROCS(0) && n < 64 {
		n *= 2
	}
	return &Counter{make([]stripe, n)}
}

// Add counts n in the caller's stripe and returns the count there.
func (c *Counter) Add(n uint64) uint64 { return c.At(Here()).Add(n) }

// At returns the stripe that k, made by Here, picks.
func (c *Counter) At(k uint64) *atomic.Uint64 { return &c.stripes[k&uint64(len(c.stripes)-1)].n }

// Here picks a stripe by the address of the goroutine's stack: always the same
// for one goroutine while its stack does not move, likely others for others.
func Here() uint64 {
	var here byte
	return uint64(uintptr(unsafe.Pointer(&here))>>11) * 0x9E3779B97F4A7C15 >> 32
}

// Read returns the sum of all stripes.
func (c *Counter) Read() (n uint64) {
	if c == nil {
		return 0
	}
	for i := range c.stripes {
		n += c.stripes[i].n.Load()
	}
	return n
}
