package cluster

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// How often the table is drawn on a terminal; without one there is a line each
// second.
const (
	drawEvery = 100 * time.Millisecond
	sayEvery  = time.Second
)

// Screen is where a run speaks: lines, and on a terminal a table below them that
// stays while the lines scroll. Any goroutine may use it.
type Screen struct {
	width func() int

	mu    sync.Mutex
	out   io.Writer // guarded by mu
	table []string  // what is drawn; guarded by mu
	said  time.Time // when the last line was said without a terminal; guarded by mu
}

// NewScreen writes to out. If that is a terminal, width gives its columns, which
// may change; otherwise 0.
func NewScreen(out io.Writer, width func() int) *Screen { return &Screen{out: out, width: width} }

// Printf prints a line above the table.
func (s *Screen) Printf(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// Write implements io.Writer; p should end a line.
func (s *Screen) Write(p []byte) (int, error) { return s.above(s.out, p) }

// Through returns a writer to w, such as standard error, that keeps clear of the
// table on the same terminal.
func (s *Screen) Through(w io.Writer) io.Writer { return through{s, w} }

type through struct {
	s *Screen
	w io.Writer
}

func (t through) Write(p []byte) (int, error) { return t.s.above(t.w, p) }

func (s *Screen) above(w io.Writer, p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eraseLocked()
	n, err := w.Write(p)
	s.drawLocked(s.table)
	return n, err
}

// Table shows the table in place of the last one; nil leaves the last one behind
// for good. Without a terminal it is the line, at times.
func (s *Screen) Table(lines []string, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.width() == 0 {
		if now := time.Now(); line != "" && now.Sub(s.said) >= sayEvery {
			s.said = now
			fmt.Fprintln(s.out, line)
		}
		return
	}
	if lines == nil {
		s.table = nil
		return
	}
	s.eraseLocked()
	s.drawLocked(lines)
}

// eraseLocked and drawLocked must be called with mu held.
func (s *Screen) eraseLocked() {
	if len(s.table) > 0 {
		fmt.Fprintf(s.out, "\r\x1b[%dA\x1b[J", len(s.table)) // up, and clear all below
	}
}

// drawLocked cuts lines at the width: one that wraps would not be erased.
func (s *Screen) drawLocked(lines []string) {
	s.table = lines
	width := max(s.width()-1, 1)
	var text strings.Builder
	for _, line := range lines {
		if runes := []rune(line); len(runes) > width {
			line = string(runes[:width])
		}
		text.WriteString(line + "\n")
	}
	io.WriteString(s.out, text.String())
}
