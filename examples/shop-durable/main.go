// Shop-durable is the gift shop of examples/shop with its orders on disk: an order
// is in an event store before its customer is told that it was accepted.
//
//	go run ./examples/shop-durable -data /tmp/shop -replay FILE -kill 5000   # dies, as by kill -9
//	go run ./examples/shop-durable -data /tmp/shop -replay FILE              # goes on, and counts each line once
//	go run ./examples/shop-durable -data /tmp/live                           # opens, with customers and an HTTP API
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"example.com/signals/examples/internal/terminal"
	"example.com/signals/examples/shop-durable/internal/durable"
)

func main() {
	// The first Ctrl-C closes the shop in good order. After it the signal is
	// no longer caught: a second one ends the program as a kill would.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	width, _ := terminal.Size(os.Stdout)
	os.Exit(durable.Command(ctx, os.Args[1:], os.Stdout, os.Stderr, width))
}
