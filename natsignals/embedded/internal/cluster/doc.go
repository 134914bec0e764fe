// Package cluster holds the tests of natsignals on three servers, each a
// process in a network namespace of its own: with servers that are killed and
// paused, links that are cut, and clients that are slow.
package cluster
