// Package embedded runs a NATS server with JetStream inside the process, so
// that a program which bridges its signals needs nothing installed, in
// development and on one machine:
//
//	server, err := embedded.Start("/var/lib/shop/nats")
//	nc, err := server.Connect()
//	js, err := jetstream.New(nc)
//
// It is the server that runs in a cluster, with two settings that cannot be
// changed: it acknowledges a message when it is on disk (sync_interval:
// always), and it stores in a directory that the caller names, never in a
// temporary one. So natsignals.SyncAlways holds of it. It is one copy on one
// disk: what survives the loss of a disk is a cluster of three.
package embedded
