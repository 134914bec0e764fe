// Package uuid stands for the package of that name.
package uuid

import "crypto/rand"

// UUID is 16 bytes.
type UUID [16]byte

// New returns a random one.
func New() (id UUID) {
	_, _ = rand.Read(id[:])
	return id
}
