// Package exampletest has what the tests of several examples need: the program
// under test as a process, and the real data.
package exampletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Program is the program whose directory is the current one: built once for all
// tests, when the first one asks for it.
type Program struct {
	build func() (string, error)
}

// NewProgram returns the program, called name, which is not built yet. flags are
// for go build.
func NewProgram(name string, flags ...string) *Program {
	return &Program{sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", name)
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, name)
		args := append(append([]string{"build"}, flags...), "-o", path, ".")
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return path, fmt.Errorf("go build: %w\n%s", err, out)
		}
		return path, os.Chmod(dir, 0o755) // for a test that is another user
	})}
}

// Path is where the program is.
func (p *Program) Path(t testing.TB) string {
	t.Helper()
	path, err := p.build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Command is the program, ready to start. It ends after two minutes, and with the
// test, at the latest.
func (p *Program) Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, p.Path(t), args...)
}

// Remove removes what was built: for TestMain, once all tests have ended.
func (p *Program) Remove() {
	if path, _ := p.build(); path != "" {
		os.RemoveAll(filepath.Dir(path))
	}
}

// Result is what a program left behind.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Finished runs a program to its end.
func Finished(t testing.TB, cmd *exec.Cmd) Result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return Result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// RealFile is a file of the real data, which stands beside the repository, or the
// test is skipped.
func RealFile(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			break
		} else if parent := filepath.Dir(dir); !errors.Is(err, fs.ErrNotExist) || parent == dir {
			t.Skipf("no go.work above: %v", err)
		} else {
			dir = parent
		}
	}
	path := filepath.Join(dir, "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the real data is not here: %v", err)
	}
	return path
}
