// Shop is a gift shop that runs on signals. Without arguments it opens, with
// invented customers and an HTTP API, and tells a story of twenty seconds.
// With -replay it runs the books of a real shop through the same signals.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"example.com/signals/examples/internal/shop"
	"example.com/signals/examples/internal/terminal"
)

// main holds nothing that has a signal in it: every package that does is
// compiled with the code of all of them, and the first run of the shop would
// take seconds longer.
func main() {
	// The first Ctrl-C closes the shop in good order. After it the signal is
	// no longer caught, so that a second one ends a shop that hangs.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	width, _ := terminal.Size(os.Stdout)
	os.Exit(shop.Command(ctx, os.Args[1:], os.Stdout, os.Stderr, width))
}
