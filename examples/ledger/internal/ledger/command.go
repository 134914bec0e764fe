// Package ledger is the program examples/ledger: a bank whose every decision is
// an event in a store.
package ledger

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

const usage = `usage: ledger [-data DIR | -postgres DSN] [-transfers N] [-kill N]

Eight customers of a bank pay each other. Run again, it goes on where it was,
whatever ended it, and checks that nothing was lost.

  -data DIR      keep the ledger in DIR, in SQLite (default: a new temporary
                 directory)
  -postgres DSN  keep it in that PostgreSQL database, in the schema ledger_example
  -transfers N   answer N requests in all, with those of earlier runs (default 5000)
  -kill N        die, as by kill -9, after N of them

Exit codes: 0 all well, 1 failed or a bad command line, 130 interrupted by Ctrl-C:
what had begun is finished and checked, and the rest left to another run.
`

// exitInterrupted is the exit code of a run that Ctrl-C has cut short.
const exitInterrupted = 130

// Command is the program and returns its exit code.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	code, err := command(ctx, args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, usage)
	case err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "ledger: interrupted before anything was begun")
		return exitInterrupted
	case err != nil:
		// One line, whatever a driver says.
		text := strings.Join(strings.Fields(err.Error()), " ")
		fmt.Fprintf(stderr, "ledger: %s\n", strings.TrimPrefix(text, "ledger: "))
		return 1
	}
	return code
}

func command(ctx context.Context, args []string, stdout io.Writer) (code int, err error) {
	flags := flag.NewFlagSet("ledger", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line, and Command prints it
	data := flags.String("data", "", "")
	dsn := flags.String("postgres", "", "")
	transfers := flags.Int("transfers", 5000, "")
	kill := flags.Int64("kill", 0, "")
	if err := flags.Parse(args); err != nil {
		return 0, err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case flags.NArg() > 0:
		return 0, fmt.Errorf("unexpected argument %q; see ledger -help", flags.Arg(0))
	case given["data"] && given["postgres"]:
		return 0, errors.New("-data and -postgres: give one of them")
	case given["data"] && *data == "":
		return 0, errors.New("-data needs a directory")
	case given["postgres"] && *dsn == "":
		return 0, errors.New("-postgres needs a connection string, such as postgres://localhost/test")
	case *transfers < 1:
		return 0, fmt.Errorf("-transfers %d: want 1 or more", *transfers)
	case given["kill"] && *kill < 1:
		return 0, fmt.Errorf("-kill %d: want 1 or more", *kill)
	}
	db, err := open(ctx, *data, *dsn, stdout)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	config := Config{Transfers: *transfers}
	if *kill > 0 {
		config.Answered = killer(*kill, stdout)
	}
	began := time.Now()
	s, err := Run(ctx, db, config)
	if err != nil {
		return 0, err
	}
	s.print(stdout, time.Since(began))
	if s.Interrupted {
		fmt.Fprintln(stdout, "Interrupted: run it again for the rest.")
		return exitInterrupted, nil
	}
	return 0, nil
}

func open(ctx context.Context, data, dsn string, stdout io.Writer) (db *Database, err error) {
	if dsn != "" {
		db, err := OpenPostgres(ctx, dsn)
		if err == nil {
			fmt.Fprintf(stdout, "The ledger is in PostgreSQL, in the schema %s.\n", schema)
		}
		return db, err
	}
	if data == "" {
		if data, err = os.MkdirTemp("", "ledger-"); err != nil {
			return nil, err
		}
		fmt.Fprintf(stdout, "The ledger is in a new directory; go on with it: -data %s\n", data)
	}
	return OpenSQLite(data)
}

// killer returns a function whose n-th call ends the process as kill -9 does.
func killer(n int64, stdout io.Writer) func(Request) {
	var calls atomic.Int64
	return func(Request) {
		if calls.Add(1) != n {
			return
		}
		fmt.Fprintf(stdout, "Killed after %s: run it again without -kill.\n", plural(n, "answer"))
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {} // until it has happened
	}
}

// print writes what came of a run.
func (s Summary) print(w io.Writer, took time.Duration) {
	answered := s.Transferred + s.Refused
	fmt.Fprintf(w, "%s answered, %d of them by earlier runs: %s, %d refused, with %s.\n",
		plural(answered, "request"), s.Before, plural(s.Transferred, "transfer"), s.Refused, plural(s.Letters, "letter"))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "customer\tname\tchecking\tsavings\t")
	for i := range names {
		customer := strconv.Itoa(i + 1)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t\n", customer, s.Books.Names[customer],
			euros(s.Books.Cents[customer+"-checking"]), euros(s.Books.Cents[customer+"-savings"]))
	}
	fmt.Fprintf(table, "bank\t\t%s\t\t\n", euros(s.Books.Cents[bank]))
	table.Flush()
	fmt.Fprintf(w, "Everything adds up to zero; the books, rebuilt books and a count of all %s agree.\n", plural(s.Events, "event"))
	fmt.Fprintf(w, "%s taken, %s erased, %d ms.\n", plural(s.Snapshots, "snapshot"), plural(s.Erased, "event"), took.Milliseconds())
}

// plural counts things: "1 letter", "2 letters".
func plural[N ~int | ~int64 | ~uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func euros(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}
