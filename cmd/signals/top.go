package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"example.com/signals/inspector"
)

// The orders that an inspector knows.
var orders = []string{"status", "name", "rate", "emissions", "failures", "drops", "pending", "listeners", "p99"}

// asking is what top asks of the inspector, and how it shows the answer.
type asking struct {
	order   string
	reverse bool
	filter  string
	limit   int
	offset  int
	show    show
}

// query has names in their order, and of all else the worst or most first.
func (a asking) query() url.Values {
	order := a.order
	if (a.order != "name") != a.reverse {
		order = "-" + order
	}
	v := url.Values{"sort": {order}}
	if a.filter != "" {
		v.Set("q", a.filter)
	}
	if a.limit > 0 {
		v.Set("limit", strconv.Itoa(a.limit))
	}
	if a.offset > 0 {
		v.Set("offset", strconv.Itoa(a.offset))
	}
	return v
}

// least is the time between snapshots that an inspector tells apart.
const least = 200 * time.Millisecond

func newTop(o *options) *cobra.Command {
	var (
		ask       asking
		which     string
		interval  time.Duration
		times     int
		asPlain   bool
		wantPlain = "plain lines, a block each interval; without it, if standard output is no terminal"
	)
	cmd := &cobra.Command{
		Use:   "top URL",
		Short: "Watch rates, lag, failures and stuck listeners",
		Long: `Watch the signals of a running program: rates, lag, failures, stuck listeners.
In a terminal it fills the screen; press ? for the keys, q to quit. In a pipe, or
with -n, it prints a block of lines each interval.

WAITS are emissions that wait for a listener, or run. P99 is what 99 of 100 calls
of the slowest listener stay below. The rates are over the time since the
inspector last looked; at first that may be long ago.`,
		Example: `  signals top localhost:8080/debug/signals
  signals top -sort failures -filter order localhost:8080/debug/signals
  signals top -n 1 localhost:8080/debug/signals`,
		Args:              oneURL,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !slices.Contains(orders, ask.order):
				return fmt.Errorf("--sort %s: want one of %s", ask.order, strings.Join(orders, ", "))
			case !slices.Contains(shows, which):
				return fmt.Errorf("--listeners %s: want one of %s", which, strings.Join(shows, ", "))
			case interval < least:
				return fmt.Errorf("--interval %v: want %v or more", interval, least)
			case times < 0:
				return fmt.Errorf("-n %d: want 1 or more, or 0 for no end", times)
			case ask.limit < 0:
				return fmt.Errorf("--limit %d: want 1 or more, or 0 for all", ask.limit)
			}
			ask.show = show(which)
			c, err := o.open(args[0])
			if err != nil {
				return err
			}
			if asPlain || times > 0 || !screen(cmd.OutOrStdout()) {
				return printTop(cmd.Context(), cmd.OutOrStdout(), c, ask, interval, times)
			}
			return watchTop(cmd.Context(), cmd.OutOrStdout(), c, ask, interval)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&ask.order, "sort", "s", "status", "order by "+strings.Join(orders, ", "))
	flags.BoolVarP(&ask.reverse, "reverse", "r", false, "turn the order around")
	flags.StringVar(&ask.filter, "filter", "", "only signals with these words in their name or that of a listener")
	flags.StringVarP(&which, "listeners", "l", string(showTrouble), "listeners to list: "+strings.Join(shows, ", "))
	flags.IntVar(&ask.limit, "limit", 0, "print at most so many signals, 0 for all; a screen shows what fits")
	flags.DurationVarP(&interval, "interval", "i", time.Second, "time between snapshots")
	flags.IntVarP(&times, "iterations", "n", 0, "print so many blocks and end")
	flags.BoolVar(&asPlain, "plain", false, wantPlain)
	_ = cmd.RegisterFlagCompletionFunc("sort", oneOf(orders))
	_ = cmd.RegisterFlagCompletionFunc("listeners", oneOf(shows))
	return cmd
}

// screen reports whether w is a terminal that can be drawn on.
func screen(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb"
}

// printTop prints a block each interval.
func printTop(ctx context.Context, w io.Writer, c *client, ask asking, interval time.Duration, times int) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for n := 1; ; n++ {
		s, err := c.snapshot(ctx, ask.query())
		if err == nil {
			_, err = io.WriteString(w, block(s, ask))
		}
		if ctx.Err() != nil {
			return nil // Ctrl-C is how one ends this
		}
		if err != nil || n == times {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// block is what is printed of a snapshot.
func block(s *inspector.Snapshot, ask asking) string {
	t := table{names: longest(s, ask.show), key: ask.order}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n%s", s.Time.Format(time.RFC3339), health(&s.Totals), totals(s))
	if s.Interval > 0 {
		fmt.Fprintf(&b, ", rates over %s", ago(s.Interval))
	}
	b.WriteByte('\n')
	if len(s.Signals) > 0 {
		b.WriteString(t.head() + "\n")
	}
	for i := range s.Signals {
		for _, line := range t.signal(&s.Signals[i], ask.show) {
			b.WriteString(line + "\n")
		}
	}
	if len(s.Signals) < s.Matching {
		fmt.Fprintf(&b, "and %d more\n", s.Matching-len(s.Signals))
	}
	if s.Matching == 0 {
		b.WriteString(nothing(s, ask) + "\n")
	}
	b.WriteByte('\n')
	return b.String()
}

func totals(s *inspector.Snapshot) string {
	t := &s.Totals
	zero := strings.NewReplacer("·", "0")
	return zero.Replace(fmt.Sprintf("%s, %s: %s emit/s, %s call/s, %s fail/s, %s waiting",
		plural(t.Signals, "signal"), plural(t.Listeners, "listener"),
		brief(t.EmitRate), brief(t.DeliverRate), brief(t.FailRate), briefCount(t.Pending)))
}

func health(t *inspector.Totals) string {
	if t.Errors == 0 && t.Warnings == 0 {
		return "nothing is wrong"
	}
	return plural(t.Errors, "error") + ", " + plural(t.Warnings, "warning")
}

// nothing says why no signal is shown.
func nothing(s *inspector.Snapshot, ask asking) string {
	if s.Totals.Signals == 0 {
		return "The bus has no signals."
	}
	return fmt.Sprintf("No signal has %q in its name or that of a listener.", clean(ask.filter))
}
