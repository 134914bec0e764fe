// Shop-cluster is the gift shop in three processes over NATS JetStream: orders
// keeps an event store and relays it, shipping and analytics consume. The books
// of a real shop are replayed; kill any of the three at any moment, and the
// totals stay exact.
//
//	go run ./examples/shop-cluster -chaos
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"example.com/signals/examples/internal/terminal"
	"example.com/signals/examples/shop-cluster/internal/cluster"
)

func main() {
	// The program starts itself again for each of the three.
	if code, child := cluster.Child(); child {
		os.Exit(code)
	}
	ctx := context.Background()
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		// The terminal is gone, which several may say, one after the other.
		ctx, _ = signal.NotifyContext(ctx, syscall.SIGHUP)
	}
	// The first Ctrl-C ends the run in good order. After it the signal is no
	// longer caught: a second one ends the program at once, and the three with it.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cluster.Command(ctx, os.Args[1:], os.Stdout, os.Stderr, width))
}

func width() int {
	w, _ := terminal.Size(os.Stdout)
	return w
}
