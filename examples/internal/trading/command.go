package trading

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
)

// Exit codes of Command.
const (
	ExitOK          = 0
	ExitFailed      = 1   // something could not be done
	ExitUsage       = 2   // the command line makes no sense
	ExitInterrupted = 130 // a replay, or the writing of a file, was cut short
)

// closeWithin bounds how long the engine may take to finish what it has.
const closeWithin = 30 * time.Second

const usage = `usage: trading [-duration D] [-rate N] [-stocks N] [-seed N] [-http ADDR] [-plot FILE.svg]
       trading -replay FILE [-speed SPEED] [-lenient] [-json] [-http ADDR] [-plot FILE.svg]
       trading -generate N [-stocks N] [-seed N] FILE

Without -replay and -generate the day of an invented stock market passes in a
minute, its open and its close as bursts, and a strategy trades on it.

  -duration D     how long the day takes (default 1m)
  -rate N         messages a second, on average (default 50000)
  -stocks N       of the invented market (default 500)
  -seed N         invent another day (default 1)
  -replay FILE    a TotalView-ITCH 5.0 file, each message behind its length in two
                  bytes, plain or gzip; - is standard input
  -speed SPEED    max, or a factor such as 1x or 10x of the times in the file
                  (default max). After max, the latencies are measured in a second
                  pass of ten seconds at most, at half the rate that was reached
  -lenient        count and skip messages that are damaged, unknown or out of order
  -json           print the summary of the feed as JSON; no second pass
  -http ADDR      a page that shows the signals at work
  -plot FILE.svg  draw latencies and throughput
  -generate N     write a day of N messages to FILE; gzip if its name ends in .gz,
                  - is standard output

Paced, the program uses a whole processor for looking at the clock.
Exit codes: 0 all well, 1 failed, 2 bad command line, 130 interrupted replay.
`

// Env is what the program gets from its surroundings.
type Env struct {
	Stdout, Stderr io.Writer
	Size           func() (width, height int)             // of the terminal that Stdout is, or 0, 0
	Plot           func(file string, m Measurement) error // draws
}

// options are what the command line says.
type options struct {
	duration time.Duration
	rate     float64
	stocks   int
	seed     uint64
	replay   string
	speed    float64 // 0: max
	lenient  bool
	json     bool
	http     string
	plot     string
	generate int64
	file     string // of generate
}

// undrawn says that there is no picture.
func (o options) undrawn(err error) error { return fmt.Errorf("cannot draw %s: %w", o.plot, bare(err)) }

// Command is the program examples/trading and returns its exit code.
func Command(ctx context.Context, args []string, env Env) int {
	out := &output{to: env.Stdout}
	env.Stdout = out
	code, err := command(ctx, args, env)
	if out.err != nil && (err == nil || errors.Is(err, out.err)) {
		code, err = ExitFailed, fmt.Errorf("cannot write to standard output: %w", bare(out.err))
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "trading: %s\n", oneLine(err.Error()))
	}
	return code
}

func command(ctx context.Context, args []string, env Env) (int, error) {
	opts, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(env.Stdout, usage)
		return ExitOK, nil
	case err != nil:
		return ExitUsage, fmt.Errorf("%w; see trading -help", err)
	}
	if opts.plot != "" { // at once, and not when the day is over
		if err := writable(opts.plot); err != nil {
			return ExitFailed, opts.undrawn(err)
		}
	}
	run := session
	switch {
	case opts.generate > 0:
		run = generate
	case opts.replay != "":
		run = replay
	}
	code, err := run(ctx, opts, env)
	if err != nil {
		return ExitFailed, err
	}
	return code, nil
}

func parse(args []string) (options, error) {
	opts := options{}
	fs := flag.NewFlagSet("trading", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // an error is one line, and Command prints it
	fs.DurationVar(&opts.duration, "duration", time.Minute, "")
	fs.Float64Var(&opts.rate, "rate", 50_000, "")
	fs.IntVar(&opts.stocks, "stocks", 500, "")
	fs.Uint64Var(&opts.seed, "seed", 1, "")
	fs.StringVar(&opts.replay, "replay", "", "")
	speed := fs.String("speed", "max", "")
	fs.BoolVar(&opts.lenient, "lenient", false, "")
	fs.BoolVar(&opts.json, "json", false, "")
	fs.StringVar(&opts.http, "http", "", "")
	fs.StringVar(&opts.plot, "plot", "", "")
	fs.Int64Var(&opts.generate, "generate", 0, "")
	var rest []string
	for { // options may come behind the file, too
		if err := fs.Parse(args); err != nil {
			return opts, err
		}
		if fs.NArg() == 0 {
			break
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })

	allowed, mode := "duration rate stocks seed http plot", "without -replay"
	switch {
	case given["replay"] && given["generate"]:
		return opts, errors.New("-replay and -generate make no sense together")
	case given["replay"]:
		allowed, mode = "replay speed lenient json http plot", "with -replay"
		if opts.replay == "" {
			return opts, errors.New("-replay needs a file, or - for standard input")
		}
	case given["generate"]:
		allowed, mode = "generate stocks seed", "with -generate"
		switch {
		case opts.generate < 1:
			return opts, fmt.Errorf("-generate %d: want 1 message or more", opts.generate)
		case len(rest) == 0:
			return opts, errors.New("-generate N needs a file to write, or - for standard output")
		case rest[0] == "":
			return opts, errors.New("-generate N needs the name of a file, and it is empty")
		}
		opts.file, rest = rest[0], rest[1:]
	}
	for name := range given {
		if !contains(allowed, name) {
			return opts, fmt.Errorf("-%s makes no sense %s", name, mode)
		}
	}
	switch {
	case len(rest) > 0:
		return opts, fmt.Errorf("unexpected argument %q", rest[0])
	case opts.duration < 100*time.Millisecond || opts.duration > 24*time.Hour:
		return opts, fmt.Errorf("-duration %v: want 100ms to 24h", opts.duration)
	case !(opts.rate >= 1 && opts.rate <= 1e7):
		return opts, fmt.Errorf("-rate %v: want 1 to 10000000", opts.rate)
	case opts.stocks < 1 || opts.stocks > 20_000:
		return opts, fmt.Errorf("-stocks %d: want 1 to 20000", opts.stocks)
	case given["http"] && opts.http == "":
		return opts, errors.New("-http needs an address such as 127.0.0.1:8080")
	case given["plot"] && !strings.HasSuffix(opts.plot, ".svg"):
		return opts, fmt.Errorf("-plot %q: want a file that ends in .svg", opts.plot)
	}
	var err error
	opts.speed, err = parseSpeed(*speed)
	return opts, err
}

func contains(list, word string) bool {
	for one := range strings.FieldsSeq(list) {
		if one == word {
			return true
		}
	}
	return false
}

// parseSpeed reads max, 1x, 10x and the like; 0 is max.
func parseSpeed(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	num, isFactor := strings.CutSuffix(s, "x")
	f, err := strconv.ParseFloat(num, 64)
	if !isFactor || err != nil || !(f >= 0.001 && f <= 1e9) || math.IsNaN(f) {
		return 0, fmt.Errorf("bad speed %q: want max, or a factor such as 1x or 10x", s)
	}
	return f, nil
}

// newEngine makes an engine with the strategy, and serves its page.
func newEngine(opts options, stderr io.Writer) (e *Engine, url string, stop func(), err error) {
	e = New(Config{Log: slog.New(slog.NewTextHandler(stderr, nil))})
	StartImbalance(e)
	if opts.http == "" {
		return e, "", func() {}, nil
	}
	url, stop, err = serve(e, opts.http)
	return e, url, stop, err
}

// closed closes an engine with a context of its own: the one that Ctrl-C has
// ended would leave no time to finish.
func closed(e *Engine) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	return e.Close(ctx)
}
