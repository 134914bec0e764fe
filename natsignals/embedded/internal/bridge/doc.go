// Package bridge holds the tests of natsignals that need a server: they cannot be
// in its own module, which has nothing but the client.
package bridge
