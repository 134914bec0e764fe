// Trading rebuilds a stock market from its feed, and trades on it. Without
// arguments the day of an invented market passes in a minute; with -replay it
// is that of a TotalView-ITCH 5.0 file.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"example.com/signals/examples/internal/terminal"
	"example.com/signals/examples/internal/trading"
)

func main() {
	// The first Ctrl-C ends the day in good order. After it the signal is no
	// longer caught, so that a second one ends a program that hangs.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(trading.Command(ctx, os.Args[1:], trading.Env{
		Stdout: os.Stdout, Stderr: os.Stderr, Size: size, Plot: writePlot,
	}))
}

func size() (width, height int) { return terminal.Size(os.Stdout) }
