// Command signals looks at the signals of a running program, through the
// inspector that the program has mounted (package inspector):
//
//	signals top http://localhost:8080/debug/signals/
//	signals graph http://localhost:8080/debug/signals/ -o wiring.svg
//	signals doctor unix:/run/shop.sock:/debug/signals/
//
// top shows rates, lag, failures and stuck listeners as they change; graph
// writes the wiring graph as SVG, DOT, Mermaid or JSON; doctor says what is the
// matter and exits with 1 if something is. Errors exit with 2.
//
// store checks, exports, imports and shows an event store in a SQLite file.
//
// Whatever the program says is shown without control characters, so that the
// name of a signal cannot take over a terminal.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ascii = wantsASCII(os.Getenv)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
