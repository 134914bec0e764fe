package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"example.com/signals/inspector"
)

// watchTop fills a terminal until the user quits. Keys come from standard
// input, or from the terminal if that is something else.
func watchTop(ctx context.Context, out io.Writer, c *client, ask asking, interval time.Duration) error {
	s, _, err := c.snapshot(ctx, ask.query()) // what is wrong with the URL is said in a line, not on a screen
	if err != nil {
		return err
	}
	m := newModel(c.name(), ask, interval, func(a asking) (*inspector.Snapshot, error) {
		s, _, err := c.snapshot(ctx, a.query())
		return s, err
	})
	m.last = s
	_, err = tea.NewProgram(m, tea.WithContext(ctx), tea.WithOutput(out), tea.WithoutSignalHandler()).Run()
	if ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

// model is the screen of top.
type model struct {
	name     string
	fetch    func(asking) (*inspector.Snapshot, error)
	interval time.Duration
	width    int
	height   int
	ask      asking
	last     *inspector.Snapshot
	err      error // of the last request
	asking   bool  // a request is under way
	again    bool  // another one is wanted behind it
	paused   bool
	typing   bool // the filter
	help     bool
}

func newModel(name string, ask asking, interval time.Duration, fetch func(asking) (*inspector.Snapshot, error)) *model {
	return &model{name: name, ask: ask, interval: interval, fetch: fetch, width: 80, height: 24}
}

// answer ends a request.
type answer struct {
	snapshot *inspector.Snapshot
	err      error
}

// beat comes once each interval.
type beat struct{}

// Init begins to ask.
func (m *model) Init() tea.Cmd { return tea.Batch(m.request(), m.wait()) }

func (m *model) wait() tea.Cmd {
	return tea.Tick(m.interval, func(time.Time) tea.Msg { return beat{} })
}

// request asks for a snapshot; of those wanted while one is under way, once.
func (m *model) request() tea.Cmd {
	if m.asking {
		m.again = true
		return nil
	}
	m.asking, m.again = true, false
	ask := m.ask
	ask.limit = max(1, m.body())
	return func() tea.Msg {
		s, err := m.fetch(ask)
		return answer{s, err}
	}
}

// Update reacts to keys, answers and the size of the terminal.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		return m, m.request()
	case beat:
		if m.paused || m.asking {
			return m, m.wait()
		}
		return m, tea.Batch(m.request(), m.wait())
	case answer:
		m.asking, m.err = false, msg.err
		if msg.err == nil {
			m.last = msg.snapshot
			if last := max(0, m.last.Matching-1); m.ask.offset > last { // signals have gone
				m.ask.offset, m.again = last, true
			}
		}
		if m.again {
			return m, m.request()
		}
	case tea.KeyPressMsg:
		if m.typing {
			return m, m.typed(msg)
		}
		return m, m.pressed(msg.String())
	case tea.PasteMsg:
		if m.typing {
			return m, m.filter(m.ask.filter + msg.Content)
		}
	}
	return m, nil
}

var orderKeys = map[string]string{
	"s": "status", "n": "name", "r": "rate", "e": "emissions", "f": "failures", "d": "drops", "v": "vetoes", "w": "pending", "t": "p99",
}

func (m *model) pressed(key string) tea.Cmd {
	if order, ok := orderKeys[key]; ok {
		m.ask.reverse = order == m.ask.order && !m.ask.reverse
		m.ask.order, m.ask.offset = order, 0
		return m.request()
	}
	if m.help && key != "q" && key != "ctrl+c" && key != "ctrl+z" {
		m.help = false
		return nil
	}
	switch key {
	case "q", "ctrl+c":
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	case "?", "h":
		m.help = true
	case "/":
		m.typing = true
	case "esc":
		return m.filter("")
	case "space":
		if m.paused = !m.paused; !m.paused {
			return m.request()
		}
	case "l":
		k := slices.Index(shows, string(m.ask.show))
		m.ask.show = show(shows[(k+1)%len(shows)])
	case "up", "k":
		return m.scroll(m.ask.offset - 1)
	case "down", "j":
		return m.scroll(m.ask.offset + 1)
	case "pgup":
		return m.scroll(m.ask.offset - m.fits())
	case "pgdown":
		return m.scroll(m.ask.offset + m.fits())
	case "home", "g":
		return m.scroll(0)
	case "end", "G":
		return m.scroll(m.matching() - m.fits())
	}
	return nil
}

// typed edits the filter.
func (m *model) typed(key tea.KeyPressMsg) tea.Cmd {
	switch key.String() {
	case "ctrl+c":
		return tea.Quit
	case "enter":
		m.typing = false
	case "esc":
		m.typing = false
		return m.filter("")
	case "backspace":
		r := []rune(m.ask.filter)
		return m.filter(string(r[:max(0, len(r)-1)]))
	case "ctrl+u":
		return m.filter("")
	default:
		if key.Text != "" {
			return m.filter(m.ask.filter + key.Text)
		}
	}
	return nil
}

func (m *model) filter(words string) tea.Cmd {
	if words == m.ask.filter {
		return nil
	}
	m.ask.filter, m.ask.offset = words, 0
	return m.request()
}

func (m *model) scroll(to int) tea.Cmd {
	to = max(0, min(to, m.matching()-1))
	if to == m.ask.offset {
		return nil
	}
	m.ask.offset = to
	return m.request()
}

func (m *model) matching() int {
	if m.last == nil {
		return 0
	}
	return m.last.Matching
}

// body is how many lines the signals have: five are for other things, and some
// for the stores.
func (m *model) body() int { return max(1, m.height-5-len(m.stores())) }

// stores are the lines of the stores: at most a third of the screen.
func (m *model) stores() []string {
	if m.last == nil {
		return nil
	}
	lines := storeLines(m.last, m.ask.show)
	return lines[:min(len(lines), m.height/3)]
}

// fits is how many of the signals fit on the screen.
func (m *model) fits() int {
	if m.last == nil {
		return 1
	}
	lines := 0
	for i := range m.last.Signals {
		lines += 1 + len(m.ask.show.of(&m.last.Signals[i]))
		if lines > m.body() {
			return max(1, i)
		}
	}
	return max(1, len(m.last.Signals))
}

// View draws the screen.
func (m *model) View() tea.View {
	lines := m.lines()
	visible := make([]string, 0, m.height)
	for _, line := range lines[:min(len(lines), m.height)] {
		visible = append(visible, shown(ansi.Truncate(line, m.width, "…")))
	}
	v := tea.NewView(strings.Join(visible, "\n"))
	v.AltScreen = true
	return v
}

func (m *model) lines() []string {
	if m.help {
		return strings.Split(ansi.Wrap(strings.Join(helpLines, "\n"), max(1, m.width), ""), "\n")
	}
	lines := []string{m.titleLine()}
	if s := m.last; s == nil {
		lines = append(lines, "", "", "")
	} else {
		state := good
		if s.Totals.Errors > 0 {
			state = bad
		} else if s.Totals.Warnings > 0 {
			state = warn
		}
		t := newScreenTable(m.width, m.ask.order)
		lines = append(lines, totalsWithin(s, m.width), state.Render(health(&s.Totals))+m.where())
		lines = append(append(lines, m.stores()...), t.head())
		for i := range s.Signals {
			lines = append(lines, t.signal(&s.Signals[i], m.ask.show)...)
		}
		if s.Matching == 0 {
			lines = append(lines, faint.Render(nothing(s, m.ask)))
		}
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	return append(lines[:max(1, m.height-1)], m.footer())
}

// titleLine says what is watched, and when it was so.
func (m *model) titleLine() string {
	when := ""
	if m.last != nil {
		when = m.last.Time.Local().Format("15:04:05")
		if m.last.Interval > 0 && m.width >= wide {
			when = "over " + ago(m.last.Interval) + "  " + when
		}
	}
	if m.paused {
		when = "PAUSED  " + when
	}
	name := ansi.Truncate("signals  "+m.name, max(0, m.width-ansi.StringWidth(when)-2), "…")
	gap := max(0, m.width-ansi.StringWidth(name)-ansi.StringWidth(when))
	return bold.Render(name) + strings.Repeat(" ", gap) + when
}

// where says which part of the signals is shown.
func (m *model) where() string {
	text := ""
	if first := m.ask.offset + 1; m.fits() < m.last.Matching {
		text += fmt.Sprintf("   %d-%d of %d", first, min(first+m.fits()-1, m.last.Matching), m.last.Matching)
	}
	if m.ask.reverse {
		text += "   reversed"
	}
	if m.ask.show != showTrouble {
		text += "   listeners: " + string(m.ask.show)
	}
	if m.ask.filter != "" && !m.typing {
		text += "   filter: " + clean(m.ask.filter)
	}
	return faint.Render(text)
}

func (m *model) footer() string {
	switch {
	case m.typing:
		return "filter: " + clean(m.ask.filter) + "▏" + faint.Render("  enter keeps it, esc clears it")
	case m.err != nil:
		return bad.Render(clean(m.err.Error()))
	}
	keys := "q quit  ? help  / filter  l listeners  space pause  sort: s n r e f v d w t"
	if m.width < ansi.StringWidth(keys) {
		keys = "q quit  ? help  / filter  l listeners"
	}
	return faint.Render(keys)
}

// wide is from where on there is room for more than what matters most.
const wide = 72
