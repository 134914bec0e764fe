package trading

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

// output remembers the first error of a writer, so that what prints need not look.
// It is standard output, to which one goroutine at a time writes.
type output struct {
	to  io.Writer
	err error
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// writable reports why a file cannot be written. It leaves everything as it is.
func writable(file string) error {
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil // a pipe would wait for its reader
	}
	isNew := os.IsNotExist(err)
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	f.Close()
	if isNew {
		os.Remove(file)
	}
	return nil
}

// oneLine writes an error, which may have words of others in it, in one line that
// is no command for a terminal.
func oneLine(text string) string {
	var line strings.Builder
	for _, r := range strings.ReplaceAll(text, "\n", "; ") {
		if unicode.IsControl(r) {
			fmt.Fprintf(&line, "\\x%02x", r)
		} else {
			line.WriteRune(r)
		}
	}
	return line.String()
}
