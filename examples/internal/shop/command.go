package shop

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"

	"example.com/signals/examples/internal/english"
)

// Exit codes of Command.
const (
	ExitOK          = 0
	ExitFailed      = 1   // something could not be done, or totals do not agree
	ExitUsage       = 2   // the command line makes no sense
	ExitMalformed   = 3   // a replay skipped rows
	ExitInterrupted = 130 // a replay was cut short by Ctrl-C
)

const usage = `usage: shop [-http ADDR] [-orders N] [-speed SPEED] [-seed N] [-chaos]
       shop -replay FILE [-speed SPEED]

Without -replay the shop opens: invented customers order, real ones can use the
HTTP API, a page shows the signals at work, and a story of 20 seconds is told. On
a terminal it then goes on until Ctrl-C.

  -http ADDR     where page and API listen (default 127.0.0.1:0, any free port)
  -orders N      end after N invented orders
  -seed N        invent others, and other failures of the payment gateway
                 (default 1)
  -chaos         add a listener that is stuck and one that is slow, for the page
                 to find
  -replay FILE   replay a file with the columns of UCI Online Retail, plain or
                 gzip; - is standard input
  -speed SPEED   max, or a factor such as 1x or 1000x (default 1x; max for -replay)

Exit codes: 0 all well, 1 failed, 2 bad command line, 3 malformed rows were
skipped, 130 replay interrupted.
`

// options are what the command line says.
type options struct {
	http   string
	orders int
	replay string
	speed  Speed
	seed   uint64
	chaos  bool
}

// Command is the program examples/shop and returns its exit code. Width is that
// of the terminal, or 0 if there is none.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer, width int) int {
	screen := NewScreen(stdout, width)
	stderr = screen.Through(stderr)
	opts, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, usage)
		return ExitOK
	case err != nil:
		fmt.Fprintf(stderr, "shop: %v; see shop -help\n", err)
		return ExitUsage
	}
	var code int
	if opts.replay != "" {
		code, err = replayFile(ctx, opts, screen, stderr)
	} else {
		code, err = (&Business{
			HTTP: opts.http, Orders: opts.orders, Speed: opts.speed, Seed: opts.seed, Chaos: opts.chaos,
		}).Run(ctx, screen, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "shop: %v\n", err)
		return ExitFailed
	}
	return code
}

func parse(args []string) (options, error) {
	opts := options{}
	fs := flag.NewFlagSet("shop", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // an error is one line, and Command prints it
	fs.StringVar(&opts.http, "http", "127.0.0.1:0", "")
	fs.IntVar(&opts.orders, "orders", 0, "")
	fs.StringVar(&opts.replay, "replay", "", "")
	fs.Uint64Var(&opts.seed, "seed", 1, "")
	fs.BoolVar(&opts.chaos, "chaos", false, "")
	speed := fs.String("speed", "", "")
	if err := fs.Parse(args); err != nil {
		return opts, err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if fs.NArg() > 0 {
		return opts, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if given["replay"] {
		if opts.replay == "" {
			return opts, errors.New("-replay needs a file, or - for standard input")
		}
		for _, other := range []string{"http", "orders", "seed", "chaos"} {
			if given[other] {
				return opts, fmt.Errorf("-%s makes no sense with -replay", other)
			}
		}
	}
	if given["orders"] && opts.orders < 1 {
		return opts, fmt.Errorf("-orders %d: want 1 or more", opts.orders)
	}
	if !given["speed"] {
		*speed = "1x"
		if given["replay"] {
			*speed = "max"
		}
	}
	var err error
	opts.speed, err = ParseSpeed(*speed)
	return opts, err
}

// replayFile runs a file through a shop whose shelves never empty. Its payments
// do not go to the gateway: what is in the books was paid long ago, and 20,000
// requests would take longer than all the rest.
func replayFile(ctx context.Context, opts options, screen *Screen, stderr io.Writer) (int, error) {
	in, err := OpenInputUnless(ctx, opts.replay)
	switch {
	case err != nil:
		return 0, err
	case in == nil:
		fmt.Fprintln(stderr, "shop: interrupted; nothing has been read")
		return ExitInterrupted, nil
	}
	defer in.Close()
	s := New(Config{
		Stock:  EndlessStock(),
		Ledger: NoLedger{},
		Log:    slog.New(slog.NewTextHandler(stderr, nil)),
	})
	r := Replay{Shop: s, Input: in, Speed: opts.speed, Screen: screen, Errors: stderr}
	done, err := r.Run(ctx)
	if closeErr := Closing(s); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, err
	}
	agreed := s.WriteSummary(screen, true)
	if done.Malformed > 0 {
		fmt.Fprintf(stderr, "shop: skipped %s\n", english.Plural(done.Malformed, "malformed row"))
	}
	switch {
	case done.Interrupted:
		fmt.Fprintln(stderr, "shop: interrupted; these are the totals so far")
		return ExitInterrupted, nil
	case !agreed || done.Refused > 0:
		return ExitFailed, nil
	case done.Malformed > 0:
		return ExitMalformed, nil
	}
	return ExitOK, nil
}

// OpenInputUnless opens the input, or returns nil when ctx ends first: a named pipe
// cannot be opened before somebody writes to it.
func OpenInputUnless(ctx context.Context, name string) (*Input, error) {
	if name == "-" {
		return OpenInput(name)
	}
	type result struct {
		in  *Input
		err error
	}
	opened := make(chan result, 1)
	go func() {
		in, err := OpenInput(name)
		opened <- result{in, err}
	}()
	select {
	case r := <-opened:
		return r.in, r.err
	case <-ctx.Done():
		return nil, nil //nolint:nilnil // neither
	}
}
