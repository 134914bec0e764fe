package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/signals/inspector"
)

// execute runs the program and returns what it writes and its exit code.
func execute(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), build(t), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func TestTheProgram(t *testing.T) {
	url := shop(t, inspector.StuckAfter(time.Millisecond))
	if r := execute(t, "top", "-n", "2", "-interval", "200ms", url); r.code != exitOK || strings.Count(r.stdout, "SIGNAL") != 2 || r.stderr != "" {
		t.Errorf("top: %+v", r)
	}
	if r := execute(t, "doctor", url); r.code != exitWrong || !strings.Contains(r.stdout, "warehouse of \"stock.reserved\" is stuck") || r.stderr != "" {
		t.Errorf("doctor: %+v", r)
	}
	file := filepath.Join(t.TempDir(), "wiring.svg")
	if r := execute(t, "graph", url, "-o", file); r != (result{}) {
		t.Errorf("graph: %+v", r)
	}
	if data, err := os.ReadFile(file); err != nil || !isSVG(string(data)) {
		t.Errorf("the graph is %q (%v)", data, err)
	}
	if r := execute(t, "doctor", answering(t, 404, "text/plain", "")); r.code != exitError || strings.Count(r.stderr, "\n") != 1 || r.stdout != "" {
		t.Errorf("doctor of what is no inspector: %+v", r)
	}
	if r := execute(t, "-version"); r.code != exitOK || !strings.HasPrefix(r.stdout, "signals version ") {
		t.Errorf("version: %+v", r)
	}
}

// piped starts top in a pipe and waits for its first line.
func piped(t *testing.T) (*exec.Cmd, *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), build(t), "top", "-interval", "200ms", shop(t))
	cmd.Stdout = write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	t.Cleanup(func() { _ = read.Close() })
	if line, err := bufio.NewReader(read).ReadString('\n'); err != nil {
		t.Fatalf("top says %q and then nothing: %v", line, err)
	}
	return cmd, read
}

func TestTopInAPipeEndsWithItsReader(t *testing.T) {
	cmd, read := piped(t)
	_ = read.Close()
	_ = cmd.Wait() // it is enough that it ends
}

func TestTopInAPipeEndsWithCtrlC(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes cannot be interrupted there")
	}
	cmd, _ := piped(t)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}
