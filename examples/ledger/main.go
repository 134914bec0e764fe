// Ledger is a small bank over the event store: customers pay each other at the
// same time, by rules that no account can guard alone, and nothing that was
// answered is lost, however often the program is killed and run again.
//
//	go run ./examples/ledger -data /tmp/bank -kill 1000   # dies in the middle, as by kill -9
//	go run ./examples/ledger -data /tmp/bank              # goes on, and checks everything
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"example.com/signals/examples/ledger/internal/ledger"
)

func main() {
	// The first Ctrl-C ends the run in good order. After it the signal is no
	// longer caught: a second one ends the program as a kill would.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(ledger.Command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
