// Package terminal tells the size of the one that a program writes to.
package terminal

import (
	"os"

	"golang.org/x/term"
)

// Size is that of the terminal behind f, in characters, or 0, 0 if f is none, or one
// that takes no commands (TERM=dumb). What a terminal does not tell is 80 and 24. It
// may change from call to call.
func Size(f *os.File) (width, height int) {
	fd := int(f.Fd())
	if os.Getenv("TERM") == "dumb" || !term.IsTerminal(fd) {
		return 0, 0
	}
	width, height = 80, 24
	if w, h, err := term.GetSize(fd); err == nil {
		if w > 0 {
			width = w
		}
		if h > 0 {
			height = h
		}
	}
	return width, height
}
