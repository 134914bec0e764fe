//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"

	"example.com/signals/inspector"
)

// terminal is a program that runs in one.
type terminal struct {
	t     *testing.T
	file  *os.File // the program's other side
	cmd   *exec.Cmd
	ended chan struct{}

	mu     sync.Mutex // over screen, but for the answers that are read from it
	screen *vt.Emulator
}

func startTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	cmd := exec.Command(build(t), args...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 80, Rows: 24})
	if err != nil {
		t.Skipf("this test needs a pseudo-terminal: %v", err)
	}
	term := &terminal{t: t, file: file, cmd: cmd, ended: make(chan struct{}), screen: vt.NewEmulator(80, 24)}
	answered, drawn := make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = io.Copy(file, term.screen)
		close(answered)
	}()
	go func() {
		_, _ = io.Copy(term, file)
		close(drawn)
	}()
	go func() {
		_ = cmd.Wait()
		<-drawn
		close(term.ended)
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the screen:\n%s", term.text())
		}
		_ = cmd.Process.Kill()
		<-term.ended
		_ = file.Close()
		_ = term.screen.InputPipe().(io.Closer).Close()
		<-answered
	})
	return term
}

// Write draws what the program writes.
func (term *terminal) Write(p []byte) (int, error) {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.screen.Write(p)
}

// text is what the screen shows.
func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	var b strings.Builder
	for y := range term.screen.Height() {
		for x := range term.screen.Width() {
			if cell := term.screen.CellAt(x, y); cell != nil && cell.Content != "" {
				b.WriteString(cell.Content)
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// fullScreen reports whether the program uses the alternate screen.
func (term *terminal) fullScreen() bool {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.screen.IsAltScreen()
}

func (term *terminal) resize(columns, lines int) {
	term.t.Helper()
	term.mu.Lock()
	term.screen.Resize(columns, lines)
	term.mu.Unlock()
	if err := pty.Setsize(term.file, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)}); err != nil {
		term.t.Fatal(err)
	}
}

func (term *terminal) press(keys string) {
	term.t.Helper()
	if _, err := io.WriteString(term.file, keys); err != nil {
		term.t.Fatal(err)
	}
}

// shows waits until the screen is as it should be.
func (term *terminal) shows(what string, is func(string) bool) {
	term.t.Helper()
	eventually(term.t, "the screen has "+what, func() bool { return is(term.text()) })
}

func (term *terminal) has(words ...string) {
	term.t.Helper()
	for _, w := range words {
		term.shows(w, func(s string) bool { return strings.Contains(s, w) })
	}
}

func (term *terminal) lacks(words string) {
	term.t.Helper()
	term.shows("nothing of "+words, func(s string) bool { return !strings.Contains(s, words) })
}

// ends waits for the end of the program, which leaves the terminal as it was.
func (term *terminal) ends(code int) {
	term.t.Helper()
	select {
	case <-term.ended:
	case <-time.After(patient):
		term.t.Fatalf("still running:\n%s", term.text())
	}
	if got := term.cmd.ProcessState.ExitCode(); got != code {
		term.t.Errorf("exit code %d, want %d:\n%s", got, code, term.text())
	}
	if term.fullScreen() {
		term.t.Error("the alternate screen stays")
	}
}

func TestTopInATerminal(t *testing.T) {
	url := shop(t, inspector.StuckAfter(time.Millisecond))
	term := startTerminal(t, "top", "-interval", "200ms", url)
	term.has("signals  http://127.0.0.1", "4 signals, 3 listeners", "order.placed", "warehouse", "stuck", "failing", "q quit")
	if !term.fullScreen() {
		t.Error("it does not use the alternate screen")
	}
	t.Logf("at 80 columns:\n%s", term.text())

	inOrder := func(first, second string) func(string) bool {
		return func(s string) bool {
			return strings.Contains(s, first) && strings.Index(s, first) < strings.Index(s, second)
		}
	}
	term.press("n")
	term.shows("order by name", inOrder("order.mailed", "stock.reserved"))
	term.press("n")
	term.shows("order turned around", inOrder("stock.reserved", "order.mailed"))
	term.press("l")
	term.has("listeners: all", "  log")
	term.press("/placed\r")
	term.has("filter: placed")
	term.lacks("stock.reserved")
	term.press("\x1b")
	term.has("stock.reserved")
	term.press("?")
	term.has("Keys", "any key goes back")
	term.press("\x1b[B") // down
	term.has("order.placed")
	term.press(" ")
	term.has("PAUSED")
	term.press(" ")
	term.lacks("PAUSED")

	term.resize(60, 12)
	term.shows("footer in the last of 12 lines", func(s string) bool {
		return strings.HasPrefix(strings.Split(s, "\n")[11], "q quit")
	})
	term.press("q")
	term.ends(exitOK)
}

func TestTopEndsAsTerminalsDo(t *testing.T) {
	url := shop(t)
	for name, end := range map[string]func(*terminal){
		"Ctrl-C":  func(term *terminal) { term.press("\x03") },
		"SIGTERM": func(term *terminal) { _ = term.cmd.Process.Signal(syscall.SIGTERM) },
		"SIGINT":  func(term *terminal) { _ = term.cmd.Process.Signal(os.Interrupt) },
	} {
		t.Run(name, func(t *testing.T) {
			term := startTerminal(t, "top", url)
			term.has("order.placed", "q quit")
			end(term)
			term.ends(exitOK)
		})
	}
}

// What cannot be watched is said in a line, and not on a screen of its own.
func TestUnreachableInATerminal(t *testing.T) {
	term := startTerminal(t, "top", answering(t, 404, "text/plain", "404 page not found"))
	term.ends(exitError)
	if !strings.Contains(term.text(), "there is no inspector") {
		t.Errorf("it says\n%s", term.text())
	}
}

// Standard output of doctor has colours in a terminal, and none elsewhere.
func TestColoursOnlyInATerminal(t *testing.T) {
	url := shop(t)
	eventually(t, "the payments have failed", func() bool { return command(t, "doctor", "-wait", "0s", url).code == exitWrong })
	term := startTerminal(t, "doctor", "-wait", "0s", url)
	term.ends(exitWrong)
	if cell := term.screen.CellAt(0, 0); cell == nil || cell.Content != "e" || cell.Style.Fg == nil {
		t.Errorf("the first finding has no colour:\n%s", term.text())
	}
	out, _ := exec.Command(build(t), "doctor", "-wait", "0s", url).Output()
	if !bytes.Contains(out, []byte("error  ")) || bytes.ContainsRune(out, '\x1b') {
		t.Errorf("in a pipe: %q", out)
	}
}
