package trading

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/trading/feedgen"
)

// How often somebody who watches wants to see something new.
const (
	refresh = 250 * time.Millisecond // on a terminal
	line    = 5 * time.Second        // elsewhere
)

// The part of an invented day that a session shows: the rest would be a wait.
const (
	sessionFrom = 9*time.Hour + 25*time.Minute
	sessionTo   = 16*time.Hour + time.Minute
)

// session lets an invented day pass.
func session(ctx context.Context, opts options, env Env) (int, error) {
	screen := newScreen(env)
	log := env.Stderr
	if screen.terminal() {
		log = screen // above the table, not through it
	}
	e, url, stop, err := newEngine(opts, log)
	if err != nil {
		return 0, err
	}
	defer stop()
	if url != "" {
		fmt.Fprintf(screen, "The signals at work: %s\n", url)
	}
	day := feedgen.Config{Messages: max(int64(opts.rate*opts.duration.Seconds()), 1), Stocks: opts.stocks, Seed: opts.seed}
	fmt.Fprintf(screen, "An invented day of %s about %s in %v; Ctrl-C ends it early.\n", english.Plural(day.Messages, "message"), english.Plural(opts.stocks, "stock"), opts.duration)
	pace := Pace{Speed: float64(sessionTo-sessionFrom) / float64(opts.duration), From: sessionFrom, To: sessionTo}

	w := &watch{e: e, screen: screen}
	StartBoard(e, w.show)
	every := line
	if screen.terminal() {
		every = refresh
	}
	over, stopAsking := context.WithCancel(ctx)
	var asking sync.WaitGroup
	asking.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				e.Ask(over)
			case <-over.Done():
				return
			}
		}
	})
	run, err := e.Feed(ctx, feedgen.New(day), pace)
	stopAsking()
	asking.Wait()
	if closeErr := closed(e); err == nil {
		err = closeErr
	}
	screen.rest()
	if err != nil {
		return 0, err
	}
	if run.Interrupted {
		fmt.Fprintln(screen, "\nEnded early; all that was accepted has been finished.")
	}
	m := measure(e, run, 0)
	m.write(screen)
	if opts.plot != "" {
		if err := env.Plot(opts.plot, m); err != nil {
			return 0, opts.undrawn(err)
		}
	}
	return ExitOK, nil
}

// watch shows how a session goes. Its show is called by one goroutine at a time.
type watch struct {
	e      *Engine
	screen *screen

	last Report
	sent int64 // orders accepted and refused, at the last report
}

func (w *watch) show(r Report) {
	seconds := max(time.Duration(r.Asked-w.last.Asked).Seconds(), 1e-3)
	rate := float64(r.Messages-w.last.Messages) / seconds
	quotes := float64(r.Quotes-w.last.Quotes) / seconds
	orders, standing := w.e.Orders(), w.e.Positions.Standing()
	sent := orders.Accepted + orders.Total()
	head := fmt.Sprintf("%s  %s (%s/s)  quotes %s/s  orders %s (%s/s)  refused %s  profit %s  lag %s",
		clock(r.Asked), english.Plural(r.Messages, "message"), english.Group(int64(rate)), english.Group(int64(quotes)),
		english.Group(orders.Accepted), english.Group(int64(float64(sent-w.sent)/seconds)), english.Group(orders.Total()), Dollars(standing.Total()), short(r.Lag))
	w.last, w.sent = r, sent
	if !w.screen.terminal() {
		fmt.Fprintln(w.screen, head)
		return
	}
	w.screen.draw(func(out io.Writer, height int) {
		fmt.Fprintf(out, "%s  %s, %s/s; best prices %s/s\n",
			clock(r.Asked), english.Plural(r.Messages, "message"), english.Group(int64(rate)), english.Group(int64(quotes)))
		fmt.Fprintf(out, "Orders: %s accepted, %s refused%s\n", english.Group(orders.Accepted), english.Group(orders.Total()), reasons(orders.Refused))
		fmt.Fprintf(out, "Filled %s, %s; profit %s; lag %s, %d waiting\n\n", english.Group(standing.Filled), english.Plural(standing.Shares, "share"), Dollars(standing.Total()),
			short(r.Lag), w.e.Signals.Market.Pending())
		// 78 characters with a stock that is halted: 80 columns are usual.
		fmt.Fprintf(out, "%-8s %8s %10s %10s %8s %10s %11s\n", "stock", "bid size", "bid", "ask", "ask size", "last", "volume")
		for _, s := range r.Stocks[:min(len(r.Stocks), max(height-7, 1))] {
			halted := ""
			if !s.Trading {
				halted = "  halted"
			}
			fmt.Fprintf(out, "%-8s %8d %10s %10s %8d %10s %11s%s\n", s.Stock, s.Top.BidShares, cents(s.Top.BidPrice), cents(s.Top.AskPrice),
				s.Top.AskShares, cents(uint32(s.Last)), english.Group(s.Volume), halted)
		}
	})
}

// cents writes a price with two decimals, and nothing if there is none.
func cents(price uint32) string {
	if price == 0 {
		return "-"
	}
	return fmt.Sprintf("%d.%02d", price/10_000, price%10_000/100)
}

// clock writes the time since a session began.
func clock(ns int64) string {
	d := time.Duration(ns).Truncate(time.Second)
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// screen is where a session speaks: lines, and on a terminal a table below them
// that is drawn again and again. Any goroutine may use it.
type screen struct {
	size func() (width, height int)

	mu    sync.Mutex
	out   io.Writer // guarded by mu
	lines []string  // of the table on the screen; guarded by mu
}

func newScreen(env Env) *screen { return &screen{size: env.Size, out: env.Stdout} }

func (s *screen) terminal() bool {
	width, _ := s.size()
	return width > 0
}

// Write implements io.Writer for lines above the table.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	io.WriteString(s.out, s.erasing())
	n, err := s.out.Write(p)
	io.WriteString(s.out, s.drawing())
	return n, err
}

// draw replaces the table. Lines that are too long for the terminal are cut,
// because one that wraps would be two.
func (s *screen) draw(fill func(out io.Writer, height int)) {
	width, height := s.size()
	var text strings.Builder
	fill(&text, height)
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	lines = lines[:min(len(lines), max(height-1, 1))]
	for i, line := range lines {
		if runes := []rune(line); len(runes) >= width {
			lines[i] = string(runes[:max(width-1, 0)])
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	erase := s.erasing()
	s.lines = lines
	io.WriteString(s.out, erase+s.drawing()) // in one piece, so that it does not flicker
}

// rest leaves the table as it is; what follows comes below it.
func (s *screen) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = nil
}

// erasing and drawing must be called with mu held.
func (s *screen) erasing() string {
	if len(s.lines) == 0 {
		return ""
	}
	rows := len(s.lines)
	if width, _ := s.size(); width > 0 {
		for _, line := range s.lines { // a terminal that is narrower now has wrapped it
			rows += max(utf8.RuneCountInString(line)-1, 0) / width
		}
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", rows) // up to its first line; clear to the end
}

func (s *screen) drawing() string {
	if len(s.lines) == 0 {
		return ""
	}
	return strings.Join(s.lines, "\n") + "\n"
}
