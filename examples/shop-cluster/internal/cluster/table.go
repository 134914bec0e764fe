package cluster

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"example.com/signals/examples/internal/english"
)

// draw shows how the three stand.
func (c *cluster) draw() { c.Screen.Table(c.table(), c.line()) }

func (c *cluster) table() []string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s\n", c.progress())
	t := tabwriter.NewWriter(&text, 7, 0, 2, ' ', 0)
	fmt.Fprintln(t, "process\tpid\tstate\torders\tbehind\ttwice\tkilled\t")
	for _, w := range c.workers {
		pid := "-"
		if w.cmd != nil {
			pid = strconv.Itoa(w.cmd.Process.Pid)
		}
		twice := strconv.Itoa(w.last.Repeats)
		if w.job.Role == "orders" {
			twice = "-"
		}
		last := w.last.Total
		if w.last.Trouble != "" {
			last = w.last.Trouble
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", w.job.Role, pid, w.state,
			english.Group(w.last.Orders), english.Group(c.behind(w)), twice, w.kills, last)
	}
	t.Flush()
	return strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
}

// behind is how much a process has still to do of what is there: to publish, or
// to handle.
func (c *cluster) behind(w *worker) int {
	if w.job.Role == "orders" {
		return int(w.last.Behind)
	}
	return max(0, c.workers[0].last.Orders-w.last.Orders)
}

// cells is the length of the bar.
const cells = 30

func (c *cluster) progress() string {
	slowest := c.want.Orders
	for _, w := range c.workers {
		slowest = min(slowest, w.last.Orders)
	}
	part := float64(slowest) / float64(c.want.Orders)
	full := int(part * cells)
	return fmt.Sprintf("[%s%s] %3.0f%%  %s  of %s handled by all", strings.Repeat("#", full), strings.Repeat(".", cells-full),
		part*100, clock(time.Since(c.began)), english.Plural(c.want.Orders, "order"))
}

// line is the table in a line.
func (c *cluster) line() string {
	parts := []string{clock(time.Since(c.began))}
	for _, w := range c.workers {
		part := fmt.Sprintf("%s %s", w.job.Role, english.Group(w.last.Orders))
		switch {
		case w.last.Trouble != "":
			part += " (" + w.last.Trouble + ")"
		case w.state != "running":
			part += " (" + w.state + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "  ")
}

func clock(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}
