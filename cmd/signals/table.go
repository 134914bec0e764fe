package main

import (
	"cmp"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"example.com/signals/inspector"
)

// A column of the table behind the names.
type column struct {
	title    string
	width    int    // of what stands on the right; negative: on the left
	worth    int    // where there is no room for all, those that are worth most stay
	key      string // the order by this column
	signal   func(*inspector.Signal) string
	listener func(*inspector.Listener) string
}

var columns = []column{
	{"STATUS", -11, 9, "status",
		func(s *inspector.Signal) string { return string(s.Status) },
		func(l *inspector.Listener) string {
			if l.Status == inspector.StatusStuck || l.Status == inspector.StatusLeaving {
				return string(l.Status) + " " + ago(l.Running)
			}
			return string(l.Status)
		}},
	{"EMIT/s", 7, 8, "rate",
		func(s *inspector.Signal) string { return brief(s.EmitRate) },
		func(*inspector.Listener) string { return "" }},
	{"CALL/s", 7, 4, "",
		func(s *inspector.Signal) string { return brief(s.DeliverRate) },
		func(l *inspector.Listener) string { return brief(l.Rate) }},
	{"FAIL/s", 7, 6, "",
		func(s *inspector.Signal) string { return brief(s.FailRate) },
		func(l *inspector.Listener) string { return brief(l.FailRate) }},
	{"FAILED", 7, 5, "failures",
		func(s *inspector.Signal) string { return briefCount(s.Failures) },
		func(l *inspector.Listener) string { return briefCount(l.Failures) }},
	{"VETOES", 7, 1, "vetoes",
		func(s *inspector.Signal) string { return briefCount(s.Vetoes) },
		func(l *inspector.Listener) string { return briefCount(l.Vetoes) }},
	{"DROPS", 6, 2, "drops",
		func(s *inspector.Signal) string { return briefCount(s.Drops + s.Refusals) },
		func(l *inspector.Listener) string { return briefCount(l.Drops) }},
	{"WAITS", 6, 7, "pending",
		func(s *inspector.Signal) string { return briefCount(s.Pending) },
		func(l *inspector.Listener) string { return briefCount(l.Lag) }},
	{"P99", 7, 3, "p99",
		func(s *inspector.Signal) string { return took(s.P99) },
		func(l *inspector.Listener) string { return took(l.P99) }},
}

// show says whose listeners have a line of their own.
type show string

const (
	showTrouble show = "trouble"
	showAll     show = "all"
	showNone    show = "none"
)

var shows = []string{string(showTrouble), string(showAll), string(showNone)}

func (s show) has(l *inspector.Listener) bool {
	if s == showTrouble {
		return troubled(l.Status)
	}
	return s == showAll
}

// line is a listener that has one.
type line struct {
	*inspector.Listener
	removed bool // but a call of it still runs
}

// of returns the lines of a signal's listeners. Those that are removed and still
// run are trouble to whoever waits for them.
func (s show) of(sig *inspector.Signal) (lines []line) {
	for i := range sig.Listeners {
		if l := &sig.Listeners[i]; s.has(l) {
			lines = append(lines, line{l, false})
		}
	}
	for i := range sig.Leaving {
		if s != showNone {
			lines = append(lines, line{&sig.Leaving[i], true})
		}
	}
	return lines
}

func troubled(s inspector.Status) bool {
	switch s {
	case inspector.StatusStuck, inspector.StatusFailing, inspector.StatusLagging, inspector.StatusDropping:
		return true
	}
	return false
}

// table writes signals and listeners as lines.
type table struct {
	columns []column
	names   int  // width of the names
	styled  bool // with colours
	key     string
}

const (
	minNames = 12
	fewNames = 17 // before the names get less, columns go
	maxNames = 60
)

// newScreenTable is a table for a terminal of some width: the columns that there
// is room for, and the names in the rest.
func newScreenTable(width int, key string) table {
	t := table{columns: columns, styled: true, key: key}
	worth := func(c column) int {
		if c.key == key && key != "" { // what it is ordered by
			return 8
		}
		return c.worth
	}
	for width-t.widthOfColumns() < fewNames && len(t.columns) > 1 {
		least := slices.MinFunc(t.columns, func(a, b column) int { return cmp.Compare(worth(a), worth(b)) })
		t.columns = slices.DeleteFunc(slices.Clone(t.columns), func(c column) bool { return c.title == least.title })
	}
	t.names = max(minNames, min(width-t.widthOfColumns(), maxNames))
	return t
}

// widthOfColumns is that of everything but the names.
func (t table) widthOfColumns() (n int) {
	for _, c := range t.columns {
		n += max(c.width, -c.width)
	}
	return n + 1 // between the names and the rest
}

// head is the line of titles.
func (t table) head() string {
	cells := make([]string, 0, len(t.columns))
	for _, c := range t.columns {
		cells = append(cells, c.title)
	}
	line := t.line("SIGNAL", cells, nil)
	if !t.styled {
		return line
	}
	title := ""
	if t.key == "name" {
		title = "SIGNAL"
	}
	for _, c := range t.columns {
		if c.key == t.key {
			title = c.title
		}
	}
	before, after, _ := strings.Cut(line, title)
	return faint.Render(before) + bold.Underline(true).Render(title) + faint.Render(after)
}

// signal returns the lines of a signal and of those of its listeners that are
// to be shown.
func (t table) signal(s *inspector.Signal, which show) []string {
	cells := make([]string, 0, len(t.columns))
	for _, c := range t.columns {
		cells = append(cells, c.signal(s))
	}
	lines := []string{t.line(ansi.Truncate(s.Name, t.names, "…"), cells, t.style(s.Status))}
	for _, l := range which.of(s) {
		cells := make([]string, 0, len(t.columns))
		for _, c := range t.columns {
			cells = append(cells, c.listener(l.Listener))
		}
		lines = append(lines, t.line("  "+listenerName(l, t.names-2), cells, t.style(l.Status)))
	}
	return lines
}

// listenerName is a name within a width, with the number of registrations that
// the row stands for. Of one that is leaving the status says that it is removed.
func listenerName(l line, width int) string {
	times := ""
	if l.removed && l.Status != inspector.StatusLeaving {
		times = " removed"
	}
	if l.Registrations > 1 {
		times = " ×" + briefCount(l.Registrations)
	}
	return end(l.Name(), max(1, width-ansi.StringWidth(times))) + times
}

func (t table) style(s inspector.Status) *lipgloss.Style {
	if !t.styled {
		return nil
	}
	style := statusStyle(s)
	return &style
}

// line puts cells behind a name; the first cell, the status, has a style.
func (t table) line(name string, cells []string, style *lipgloss.Style) string {
	var b strings.Builder
	b.WriteString(pad(name, -t.names) + " ")
	for i, cell := range cells {
		cell = pad(ansi.Truncate(cell, max(t.columns[i].width, -t.columns[i].width), "…"), t.columns[i].width)
		if i == 0 && style != nil {
			cell = style.Render(cell)
		}
		b.WriteString(cell)
	}
	if style == nil {
		return strings.TrimRight(b.String(), " ")
	}
	return b.String()
}

// pad fills up to a width, on the left, or on the right of a negative one.
func pad(s string, width int) string {
	if width < 0 {
		return s + strings.Repeat(" ", max(0, -width-ansi.StringWidth(s)))
	}
	return strings.Repeat(" ", max(0, width-ansi.StringWidth(s))) + s
}

// end keeps the end of a name, where the function is.
func end(s string, width int) string {
	if over := ansi.StringWidth(s) - width; over > 0 {
		return ansi.TruncateLeft(s, over+1, "…")
	}
	return s
}

// longest returns how wide the names would like to be.
func longest(s *inspector.Snapshot, which show) int {
	n := minNames
	for i := range s.Signals {
		n = max(n, ansi.StringWidth(s.Signals[i].Name))
		for _, l := range which.of(&s.Signals[i]) {
			n = max(n, 2+ansi.StringWidth(listenerName(l, maxNames)))
		}
	}
	return min(n, maxNames)
}
