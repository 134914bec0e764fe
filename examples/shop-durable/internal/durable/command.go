// Package durable is the program examples/shop-durable: the shop of examples/shop
// over an event store in SQLite.
//
// # What is durable when
//
// An order is accepted, and a cancellation done, when its event is on the disk: the
// append is the last step of the chain, and neither the customer nor a department
// hears of it before. An event has all lines of an invoice. Killed at any moment,
// the program finds every order that a customer was told of, and of those that were
// under way each wholly or not at all. Orders that come at the same time share a
// commit; none waits for others to come.
//
// Books and departments are in memory, and made of the events when the program
// starts. The totals are kept in tables besides, by a projection.
//
// # What is not
//
// The payment gateway is another system, and asked before the append. A shop that is
// killed between the two has taken money for an order that nobody was told of; it is
// for the reconciliation with the gateway to find. A cancellation that was cut short
// is open again, and a gateway that takes refunds of one order for one pays once. The
// shelves are full when the shop opens.
package durable

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"

	"example.com/signals/examples/internal/shop"
)

const usage = `usage: shop-durable -data DIR -replay FILE [-at-once N] [-kill N]
       shop-durable -data DIR [-http ADDR] [-orders N] [-speed SPEED] [-seed N] [-kill N]

The shop of examples/shop, with its orders and cancellations on the disk before
they are acknowledged. Run again, it goes on where it was, whatever ended it.

  -data DIR      keep them in DIR, in SQLite; made if it is not there
  -replay FILE   replay a file with the columns of UCI Online Retail, plain or
                 gzip; - is standard input. What DIR has of it is not replayed
                 again
  -at-once N     place N invoices of it at the same time (default 64); with 1 each
                 waits for a commit of its own
  -kill N        die, as by kill -9, when N more are on the disk

Without -replay the shop opens, as examples/shop does:

  -http ADDR     where page and API listen (default 127.0.0.1:0, any free port)
  -orders N      end after N invented orders
  -speed SPEED   max, or a factor such as 1x or 1000x (default 1x)
  -seed N        invent others (default 1)

Exit codes: 0 all well, 1 failed, 2 bad command line, 3 malformed rows were
skipped, 130 interrupted by Ctrl-C: what was begun is on the disk, and the rest is
left to another run.
`

// maxAtOnce bounds -at-once: more than that wait for the same commit.
const maxAtOnce = 4096

// options are what the command line says.
type options struct {
	data   string
	replay string
	atOnce int
	http   string
	orders int
	speed  shop.Speed
	seed   uint64
	kill   int64

	stored func(id string) // see Ledger
}

// Command is the program and returns its exit code. Width is that of the terminal,
// or 0 if there is none.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer, width int) int {
	screen := shop.NewScreen(stdout, width)
	stderr = screen.Through(stderr)
	opts, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, usage)
		return shop.ExitOK
	case err != nil:
		fmt.Fprintf(stderr, "shop-durable: %v; see shop-durable -help\n", err)
		return shop.ExitUsage
	}
	if opts.kill > 0 {
		opts.stored = killer(opts.kill, screen)
	}
	return opts.run(ctx, screen, stderr)
}

// run does what was asked for and returns an exit code.
func (o *options) run(ctx context.Context, screen *shop.Screen, stderr io.Writer) int {
	work := o.live
	if o.replay != "" {
		work = o.replayFile
	}
	code, err := work(ctx, screen, stderr)
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "shop-durable: interrupted; nothing new was begun")
		return shop.ExitInterrupted
	case err != nil:
		// One line, whatever a driver says.
		fmt.Fprintf(stderr, "shop-durable: %s\n", strings.Join(strings.Fields(err.Error()), " "))
		return shop.ExitFailed
	}
	return code
}

func parse(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("shop-durable", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line, and Command prints it
	flags.StringVar(&o.data, "data", "", "")
	flags.StringVar(&o.replay, "replay", "", "")
	flags.IntVar(&o.atOnce, "at-once", 64, "")
	flags.StringVar(&o.http, "http", "127.0.0.1:0", "")
	flags.IntVar(&o.orders, "orders", 0, "")
	flags.Uint64Var(&o.seed, "seed", 1, "")
	flags.Int64Var(&o.kill, "kill", 0, "")
	speed := flags.String("speed", "1x", "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.data == "":
		return nil, errors.New("-data needs a directory")
	case given["replay"] && o.replay == "":
		return nil, errors.New("-replay needs a file, or - for standard input")
	case given["at-once"] && !given["replay"]:
		return nil, errors.New("-at-once makes no sense without -replay")
	case o.atOnce < 1 || o.atOnce > maxAtOnce:
		return nil, fmt.Errorf("-at-once %d: want 1 to %d", o.atOnce, maxAtOnce)
	case given["orders"] && o.orders < 1:
		return nil, fmt.Errorf("-orders %d: want 1 or more", o.orders)
	case given["kill"] && o.kill < 1:
		return nil, fmt.Errorf("-kill %d: want 1 or more", o.kill)
	}
	for _, name := range []string{"http", "orders", "seed", "speed"} {
		if given[name] && given["replay"] {
			return nil, fmt.Errorf("-%s makes no sense with -replay", name)
		}
	}
	var err error
	o.speed, err = shop.ParseSpeed(*speed)
	return o, err
}

// killer returns a function whose n-th call ends the process as kill -9 does.
func killer(n int64, screen *shop.Screen) func(string) {
	var calls atomic.Int64
	return func(string) {
		if calls.Add(1) != n {
			return
		}
		screen.Printf("Killed when %d more were on the disk: run it again without -kill.", n)
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {} // until it has happened
	}
}

// failure is why the store takes nothing any more.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// keep opens the store and calls work with a context that also ends when the store
// fails, which is then the error.
func (o *options) keep(ctx context.Context, stderr io.Writer, work func(context.Context, *keeper) (int, error)) (code int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	finish := context.WithoutCancel(ctx)
	k, err := open(finish, o.data, slog.New(slog.NewTextHandler(stderr, nil)), func(err error) { cancel(failure{err}) })
	if err != nil {
		return 0, err
	}
	k.ledger.stored = o.stored
	code, err = work(ctx, k)
	if f, ok := errors.AsType[failure](context.Cause(ctx)); ok {
		err = fmt.Errorf("the store failed, and what it has not acknowledged is to be asked for again: %w", f.error)
	}
	return code, errors.Join(err, k.close(finish))
}
