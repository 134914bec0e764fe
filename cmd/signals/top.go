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

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"example.com/signals/inspector"
)

// The orders that an inspector knows.
var orders = []string{"status", "name", "rate", "emissions", "failures", "vetoes", "drops", "pending", "listeners", "p99"}

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
	v.Set("limit", strconv.Itoa(a.limit)) // 0: as many as an answer can have
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
		asJSON    bool
		wantPlain = "plain lines, a block each interval; without it, if standard output is no terminal"
	)
	cmd := &cobra.Command{
		Use:   "top URL",
		Short: "Watch rates, lag, failures and stuck listeners",
		Long: `Watch the signals of a running program: rates, lag, failures, stuck listeners.
In a terminal it fills the screen; press ? for the keys, q to quit. In a pipe, or
with -n, it prints a block of lines each interval, with -json each snapshot as a
line of JSON. It goes on when the program restarts.

VETOES are expected noes, which are no failures. WAITS are emissions that wait for
a listener, or run. P99 is what 99 of 100 calls of the slowest listener stay below.
A listener that is leaving, or removed and stuck, has been removed while a call of
it ran, which still does. The rates are over the time since the snapshot before;
the first one, which is only to compare with, is not printed.`,
		Example: `  signals top localhost:8080/debug/signals
  signals top -sort failures -filter order localhost:8080/debug/signals
  signals top -n 1 localhost:8080/debug/signals
  signals top -n 1 -json localhost:8080/debug/signals | jq '.signals[] | select(.status == "stuck") | .name'`,
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
			if asPlain || asJSON || times > 0 || !screen(cmd.OutOrStdout()) {
				p := printer{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), client: c, ask: ask, interval: interval, times: times, json: asJSON}
				return p.run(cmd.Context())
			}
			return watchTop(cmd.Context(), cmd.OutOrStdout(), c, ask, interval)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&ask.order, "sort", "s", "status", "order by "+strings.Join(orders, ", "))
	flags.BoolVarP(&ask.reverse, "reverse", "r", false, "turn the order around")
	flags.StringVar(&ask.filter, "filter", "", "only signals with these words in their name or that of a listener")
	flags.StringVarP(&which, "listeners", "l", string(showTrouble), "listeners to list: "+strings.Join(shows, ", "))
	flags.IntVar(&ask.limit, "limit", 0, "print at most so many signals, 0 for as many as the inspector answers with (1000); a screen shows what fits")
	flags.DurationVarP(&interval, "interval", "i", time.Second, "time between snapshots")
	flags.IntVarP(&times, "iterations", "n", 0, "print so many blocks and end")
	flags.BoolVar(&asPlain, "plain", false, wantPlain)
	flags.BoolVar(&asJSON, "json", false, "write each snapshot as a line of JSON")
	_ = cmd.RegisterFlagCompletionFunc("sort", oneOf(orders))
	_ = cmd.RegisterFlagCompletionFunc("listeners", oneOf(shows))
	return cmd
}

// screen reports whether w is a terminal that can be drawn on.
func screen(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb"
}

// printer is top in a pipe.
type printer struct {
	out, err io.Writer
	client   *client
	ask      asking
	interval time.Duration
	times    int // 0: no end
	json     bool
}

// run prints a block each interval. Before the first one it asks once, so that
// there is something to compare with. What is wrong then ends it; later it asks
// again, since a program that is restarted comes back: without end, or, with a
// number of blocks, for as long as an answer may take.
func (p printer) run(ctx context.Context) error {
	if _, _, err := p.client.snapshot(ctx, p.ask.query()); err != nil || ctx.Err() != nil {
		return unlessDone(ctx, err)
	}
	timer := time.NewTimer(min(p.interval, time.Second))
	defer timer.Stop()
	var failing time.Time // since when there is no answer
	for n := 0; ; {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil // Ctrl-C is how one ends this
		}
		timer.Reset(p.interval)
		s, raw, err := p.client.snapshot(ctx, p.ask.query())
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failing = time.Time{}
			if err := p.print(s, raw); err != nil {
				return err
			}
			if n++; n == p.times {
				return nil
			}
		case failing.IsZero():
			failing = time.Now()
			_, _ = fmt.Fprintln(p.err, "signals: "+shown(clean(err.Error()))+"; trying again")
		case p.times > 0 && time.Since(failing) > p.client.timeout:
			return err
		}
	}
}

// unlessDone is an error that is not the end of ctx.
func unlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (p printer) print(s *inspector.Snapshot, raw []byte) error {
	if p.json {
		line, err := cleanJSONLine(raw)
		if err == nil {
			_, err = p.out.Write(line)
		}
		return err
	}
	_, err := io.WriteString(p.out, shown(block(s, p.ask)))
	return err
}

// block is what is printed of a snapshot.
func block(s *inspector.Snapshot, ask asking) string {
	t := table{columns: columns, names: longest(s, ask.show), key: ask.order}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n%s", s.Time.Format(time.RFC3339), health(&s.Totals), totals(s))
	if s.Interval > 0 {
		fmt.Fprintf(&b, ", rates over %s", ago(s.Interval))
	}
	b.WriteByte('\n')
	for _, line := range storeLines(s, ask.show) {
		b.WriteString(line + "\n")
	}
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
		brief(t.EmitRate), brief(t.DeliverRate), brief(t.FailRate), briefCount(t.Pending))) + besides(t)
}

// besides is what is said when there is some of it.
func besides(t *inspector.Totals) (text string) {
	if t.Vetoes > 0 {
		text += ", " + briefCount(t.Vetoes) + " vetoed"
	}
	if t.Leaving > 0 {
		text += ", " + briefCount(t.Leaving) + " leaving"
	}
	return text
}

// totalsWithin is totals, and less of it where there is less room.
func totalsWithin(s *inspector.Snapshot, width int) string {
	if text := totals(s); width >= ansi.StringWidth(text) {
		return text
	}
	t := &s.Totals
	text := strings.ReplaceAll(fmt.Sprintf("%s emit/s, %s fail/s, %s waiting", brief(t.EmitRate), brief(t.FailRate), briefCount(t.Pending)), "·", "0")
	if more := text + besides(t); width >= ansi.StringWidth(more) {
		return more
	}
	return text
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
