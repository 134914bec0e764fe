package shop

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// Screen is where the shop speaks: lines, and on a terminal a bar below them
// that stays while the lines scroll. Any goroutine may use it.
type Screen struct {
	terminal bool
	width    int // of a terminal, in columns

	mu  sync.Mutex
	out io.Writer // guarded by mu, and so is whatever Through writes to
	bar string    // what the last line shows; guarded by mu
}

// NewScreen writes lines to out. If out is a terminal, width is its width;
// otherwise 0, and there is no bar.
func NewScreen(out io.Writer, width int) *Screen {
	return &Screen{out: out, terminal: width > 0, width: width}
}

// Terminal reports whether somebody is watching.
func (s *Screen) Terminal() bool { return s.terminal }

// Printf prints a line.
func (s *Screen) Printf(format string, args ...any) {
	fmt.Fprintf(s, format+"\n", args...)
}

// Write implements io.Writer; p should end a line.
func (s *Screen) Write(p []byte) (int, error) { return s.through(s.out, p) }

// Through returns a writer to w, such as standard error, that keeps clear of
// the bar on the same terminal.
func (s *Screen) Through(w io.Writer) io.Writer { return throughScreen{s, w} }

type throughScreen struct {
	s *Screen
	w io.Writer
}

func (t throughScreen) Write(p []byte) (int, error) { return t.s.through(t.w, p) }

func (s *Screen) through(w io.Writer, p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eraseLocked()
	n, err := w.Write(p)
	s.drawLocked()
	return n, err
}

// Bar shows a part of a whole (0 to 1; below 0: unknown) and a text; an empty
// text takes the bar away. Without a terminal it does nothing.
func (s *Screen) Bar(part float64, text string) {
	if !s.terminal {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eraseLocked()
	s.bar = ""
	if text != "" {
		s.bar = renderBar(part, text, s.width-1)
	}
	s.drawLocked()
}

// eraseLocked and drawLocked must be called with mu held.
func (s *Screen) eraseLocked() {
	if s.bar != "" {
		io.WriteString(s.out, "\r\x1b[K") // to the first column; clear the line
	}
}

func (s *Screen) drawLocked() {
	if s.bar != "" {
		io.WriteString(s.out, s.bar)
	}
}

// renderBar fits bar and text into a line: the bar takes what the text leaves.
func renderBar(part float64, text string, width int) string {
	if part >= 0 {
		part = min(part, 1)
		text = fmt.Sprintf("%3.0f%%  %s", part*100, text)
		if cells := min(width-len([]rune(text))-4, 40); cells >= 5 {
			full := int(part * float64(cells))
			text = "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "] " + text
		}
	}
	if runes := []rune(text); len(runes) > width {
		text = string(runes[:max(width, 0)])
	}
	return text
}
