// Command rename gives the modules of this repository another path:
//
//	make module MODULE=github.com/acme/signals
//
// It replaces the path wherever it stands: in go.mod files, imports, tests and
// documents.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	if err := rename(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "rename:", err)
		os.Exit(1)
	}
}

var (
	validPath  = regexp.MustCompile(`^[\w.~-]+(/[\w.~-]+)*$`)
	moduleLine = regexp.MustCompile(`(?m)^module\s+(\S+)`)
)

func rename(args []string) error {
	if len(args) != 1 || !validPath.MatchString(args[0]) {
		return fmt.Errorf("want the new module path, as in `make module MODULE=github.com/acme/signals`")
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		return fmt.Errorf("run this at the top of the repository: %w", err)
	}
	match := moduleLine.FindSubmatch(mod)
	if match == nil {
		return fmt.Errorf("go.mod names no module")
	}
	from, to := string(match[1]), args[0]

	changed := 0
	err = filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.Name() == ".git" && entry.IsDir():
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
			return nil // not text
		}
		renamed := replacePath(data, []byte(from), []byte(to))
		if bytes.Equal(renamed, data) {
			return nil
		}
		if strings.HasSuffix(file, ".go") { // another path may sort elsewhere among the imports
			if renamed, err = format.Source(renamed); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		changed++
		return os.WriteFile(file, renamed, 0o644) // an existing file keeps its mode
	})
	if err != nil {
		return err
	}
	fmt.Printf("renamed %s to %s in %d files\n", from, to, changed)
	return nil
}

// replacePath replaces a module path where it is not a part of another one:
// example.org/sig is left alone in example.org/signals and in
// test.example.org/sig, but not in the package path example.org/sig_test.
func replacePath(data, from, to []byte) []byte {
	var out []byte
	for {
		at := bytes.Index(data, from)
		if at < 0 {
			return append(out, data...)
		}
		before, after := data[:at], data[at+len(from):]
		out = append(out, before...)
		if endsWith(before, "_.~-") || startsWith(after, "~-") {
			out = append(out, from...)
		} else {
			out = append(out, to...)
		}
		data = after
	}
}

func endsWith(b []byte, more string) bool { return len(b) > 0 && inPath(b[len(b)-1], more) }

func startsWith(b []byte, more string) bool { return len(b) > 0 && inPath(b[0], more) }

func inPath(c byte, more string) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(more, c) >= 0
}
