package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"example.com/signals/examples/internal/english"
)

const usage = `usage: shop-cluster [-chaos] [-replay FILE | -orders N] [-data DIR] [-nats URL]

A shop in three processes: orders, which keeps an event store and relays it over
NATS JetStream, and shipping and analytics, which consume. All orders of a load
are replayed, a process that is killed is started again, and at the end the
totals of all three stores are held against the load.

  -chaos         kill each of the three at random moments, as by kill -9
  -kills N       with -chaos: so often each (default 5)
  -replay FILE   replay a file with the columns of UCI Online Retail, plain or gzip
                 (default ` + retail + `, if it is there)
  -orders N      replay N invented orders instead (default 5000)
  -data DIR      keep everything in DIR, and go on with what is there (default: a
                 temporary directory, removed at the end)
  -nats URL      use the NATS servers at that URL instead of an embedded one
  -replicas N    with -nats: copies of the stream, 3 to 5 (default 3); 1 for a
                 server that is in no cluster: a power cut may lose orders then

Exit codes: 0 the totals are exact, 1 failed or a bad command line, 130 interrupted
by Ctrl-C: what had begun is finished and checked.
`

const (
	// exitInterrupted is the exit code of a run that Ctrl-C has cut short.
	exitInterrupted = 130
	// retail is where the real file is, from the root of the repository.
	retail = "../shared/data/online-retail.csv.gz"
	// invented is how many orders are made up without it.
	invented = 5000
)

// defaultLoad is the real file, if it is there.
func defaultLoad() Load {
	if info, err := os.Stat(retail); err == nil && info.Mode().IsRegular() {
		if file, err := filepath.Abs(retail); err == nil {
			return Load{File: file}
		}
	}
	return Load{Orders: invented}
}

// Command is the program and returns its exit code. Width is that of the
// terminal, or 0 if there is none.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer, width func() int) int {
	screen := NewScreen(stdout, width)
	config, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		io.WriteString(stdout, usage)
		return 0
	}
	var s Summary
	if err == nil {
		config.Screen = screen
		s, err = Run(ctx, config)
	}
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "shop-cluster: interrupted before anything was begun")
		return exitInterrupted
	case err != nil:
		// One line, whatever a driver says.
		text := strings.Join(strings.Fields(err.Error()), " ")
		fmt.Fprintf(stderr, "shop-cluster: %s\n", text)
		return 1
	}
	s.print(screen)
	if s.Interrupted {
		screen.Printf("Interrupted after %s of %s. What is there is right to the last piece and penny.", english.Group(s.Orders.Orders), english.Plural(s.Want.Orders, "order"))
		if config.Data != "" {
			screen.Printf("Go on with the rest: the same command again.")
		}
		return exitInterrupted
	}
	screen.Printf("The totals are exact, after %.1f s.", s.Took.Seconds())
	return 0
}

func parse(args []string) (Config, error) {
	var c Config
	flags := flag.NewFlagSet("shop-cluster", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line, and Command prints it
	chaos := flags.Bool("chaos", false, "")
	kills := flags.Int("kills", 5, "")
	file := flags.String("replay", "", "")
	orders := flags.Int("orders", invented, "")
	flags.StringVar(&c.Data, "data", "", "")
	flags.StringVar(&c.NATS, "nats", "", "")
	flags.IntVar(&c.Replicas, "replicas", 3, "")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case flags.NArg() > 0:
		return c, fmt.Errorf("unexpected argument %q; see shop-cluster -help", flags.Arg(0))
	case given["replay"] && given["orders"]:
		return c, errors.New("-replay and -orders: give one of them")
	case given["replay"] && *file == "":
		return c, errors.New("-replay needs a file")
	case *file == "-":
		return c, errors.New("-replay -: a file is needed, since it is read several times")
	case given["orders"] && *orders < 1:
		return c, fmt.Errorf("-orders %d: want 1 or more", *orders)
	case given["data"] && c.Data == "":
		return c, errors.New("-data needs a directory")
	case given["nats"] && c.NATS == "":
		return c, errors.New("-nats needs a URL, such as nats://localhost:4222")
	case given["replicas"] && !given["nats"]:
		return c, errors.New("-replicas makes no sense without -nats")
	case c.Replicas != 1 && (c.Replicas < 3 || c.Replicas > 5):
		return c, fmt.Errorf("-replicas %d: want 3 to 5, or 1", c.Replicas)
	case given["kills"] && !*chaos:
		return c, errors.New("-kills makes no sense without -chaos")
	case *kills < 1:
		return c, fmt.Errorf("-kills %d: want 1 or more", *kills)
	}
	if given["replay"] {
		path, err := filepath.Abs(*file) // a restart may be from elsewhere
		if err != nil {
			return c, err
		}
		c.Load = &Load{File: path}
	} else if given["orders"] {
		c.Load = &Load{Orders: *orders}
	}
	if *chaos {
		c.Kills = *kills
	}
	return c, nil
}
