package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"

	"example.com/signals/inspector"
)

func newDoctor(o *options) *cobra.Command {
	var (
		wait, window   time.Duration
		stacks, asJSON bool
		failOn         string
	)
	levels := []string{string(inspector.SeverityError), string(inspector.SeverityWarning)}
	cmd := &cobra.Command{
		Use:   "doctor URL",
		Short: "Say what is the matter with the signals",
		Long: `Say what is the matter with the signals: stuck listeners, growing lag, failures,
drops, refusals, signals that nobody listens to; durable listeners of event stores
that stopped, are held up or fall behind, and their dead letters.

That a listener of a sync signal is stuck shows when it has not moved for as long
as the inspector's StuckAfter, 10s unless it is set: -wait 12s, or ask twice.

It goes by what happened in the last minute, or what -window says; what is older
is a note.

Exit codes: 0 if nothing is wrong, 1 if something is, 2 for errors. Notes are
not wrong.`,
		Example: `  signals doctor localhost:8080/debug/signals
  signals doctor -stacks localhost:8080/debug/signals
  signals doctor -json localhost:8080/debug/signals | jq '.findings[].text'`,
		Args:              oneURL,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(levels, failOn) {
				return fmt.Errorf("--fail-on %s: want %s", failOn, strings.Join(levels, " or "))
			}
			if wait < 0 || wait > 30*time.Second {
				return fmt.Errorf("--wait %v: want 0s to 30s", wait)
			}
			if window < time.Second || window > time.Minute {
				return fmt.Errorf("--window %v: want 1s to 1m", window)
			}
			c, err := o.open(args[0])
			if err != nil {
				return err
			}
			d, raw, err := c.diagnosis(cmd.Context(), wait, window, stacks)
			if err != nil {
				return err
			}
			if asJSON {
				if raw, err = cleanJSON(raw); err == nil {
					_, err = cmd.OutOrStdout().Write(raw)
				}
			} else {
				_, err = lipgloss.Fprint(cmd.OutOrStdout(), shown(report(d, window)))
			}
			if err != nil {
				return err
			}
			if wrong(d, inspector.Severity(failOn)) {
				return errWrong
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&wait, "wait", 3*time.Second, "how long to look before saying what grows or does not move, at most 30s")
	flags.DurationVar(&window, "window", time.Minute, "how far back failures, drops and refusals are wrong, 1s to 1m")
	flags.BoolVar(&stacks, "stacks", false, "show the stacks of stuck listeners")
	flags.BoolVar(&asJSON, "json", false, "write the diagnosis as JSON")
	flags.StringVar(&failOn, "fail-on", string(inspector.SeverityWarning), "what is wrong: error, or warning (and errors)")
	_ = cmd.RegisterFlagCompletionFunc("fail-on", oneOf(levels))
	return cmd
}

// wrong reports whether a diagnosis has a finding of a severity or a worse one.
func wrong(d *inspector.Diagnosis, from inspector.Severity) bool {
	if from == inspector.SeverityWarning && !d.Healthy {
		return true
	}
	return slices.ContainsFunc(d.Findings, func(f inspector.Finding) bool {
		return f.Severity == inspector.SeverityError || f.Severity == from
	})
}

var severityWords = map[inspector.Severity]string{inspector.SeverityInfo: "note"}

// report writes a diagnosis for people: a finding a line, and below it what to
// do.
func report(d *inspector.Diagnosis, window time.Duration) string {
	var b strings.Builder
	found := map[inspector.Severity]int{}
	for _, f := range d.Findings {
		found[f.Severity]++
		word := string(f.Severity)
		if w, ok := severityWords[f.Severity]; ok {
			word = w
		}
		b.WriteString(findingStyle(&f).Render(fmt.Sprintf("%-7s", word)) + "  " + f.Text)
		if f.Site != "" {
			b.WriteString(faint.Render(" (" + f.Site + ")"))
		}
		b.WriteByte('\n')
		if f.Advice != "" && f.Severity != inspector.SeverityInfo {
			b.WriteString("         " + f.Advice + "\n")
		}
		for _, stack := range f.Stacks {
			indent(&b, stack)
		}
	}
	if d.Omitted > 0 {
		fmt.Fprintf(&b, "and %d more, no worse\n", d.Omitted)
	}
	if d.Healthy {
		if len(d.Findings) > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(good.Render("Nothing is wrong in the last "+lasts(window)+".") + "\n")
		return b.String() + vetoed(d.Vetoes)
	}
	if len(d.Findings) > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s, %s, %s in the last %s.\n", plural(found[inspector.SeverityError], "error"),
		plural(found[inspector.SeverityWarning], "warning"), plural(found[inspector.SeverityInfo], "note"), lasts(window))
	return b.String() + vetoed(d.Vetoes)
}

// vetoed says that there were expected noes.
func vetoed(n uint64) string {
	text := fmt.Sprintf("%d deliveries were vetoed since the signals were made, which is no failure.", n)
	switch n {
	case 0:
		return ""
	case 1:
		text = "1 delivery was vetoed since the signals were made, which is no failure."
	}
	return faint.Render(text) + "\n"
}

func indent(w io.Writer, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		_, _ = fmt.Fprintf(w, "         %s\n", line)
	}
	_, _ = fmt.Fprintln(w)
}

// lasts writes how long the window is.
func lasts(window time.Duration) string {
	if window == time.Minute {
		return "minute"
	}
	return ago(window.Seconds())
}
