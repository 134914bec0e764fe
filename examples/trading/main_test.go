package main

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/signals/examples/internal/exampletest"
	"example.com/signals/examples/internal/trading"
)

func TestMain(m *testing.M) {
	code := m.Run()
	binary.Remove()
	os.Exit(code)
}

var binary = exampletest.NewProgram("trading")

// program is the program, ready to start; it ends with the test at the latest.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return binary.Command(t, args...)
}

// TestASignalEndsTheDayInGoodOrder interrupts a session that would take an hour.
func TestASignalEndsTheDayInGoodOrder(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := program(t, "-duration", "1h", "-rate", "20000", "-stocks", "50")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(stdout)
		if _, err := lines.ReadString('\n'); err != nil { // it is up
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(lines)
		if err := errors.Join(err, cmd.Wait()); err != nil {
			t.Errorf("%v: %v; stderr: %s", sig, err, &stderr)
		}
		if text := string(rest); !strings.Contains(text, "Ended early") || !strings.Contains(text, "nothing lost") || stderr.Len() > 0 {
			t.Errorf("%v: stderr %q, stdout %s", sig, &stderr, text)
		}
	}
}

func TestAReplayOfStandardInputIsPlotted(t *testing.T) {
	day := filepath.Join(t.TempDir(), "day.gz")
	if out, err := program(t, "-generate", "20000", day).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	in, err := os.Open(day)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	svg := filepath.Join(t.TempDir(), "a.svg")
	cmd := program(t, "-replay", "-", "-speed", "1000000x", "-plot", svg)
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "20,000 messages in ") {
		t.Fatalf("%v: %s", err, out)
	}
	drawn, err := os.ReadFile(svg)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(drawn, new(struct{})); err != nil {
		t.Errorf("the picture is no XML: %v", err)
	}
	for _, want := range []string{"percentile", "tick to book", "99.9", "Throughput: 20000 messages", "thousand messages a second"} {
		if !bytes.Contains(drawn, []byte(want)) {
			t.Errorf("the picture has no %q", want)
		}
	}
}

func TestAPictureThatCannotBeWrittenIsAnError(t *testing.T) {
	m := trading.Measurement{ToBook: trading.NewLatency(), ToOrder: trading.NewLatency(), Chain: trading.NewLatency()}
	m.Run.Samples = make([]trading.Sample, 1)
	if err := writePlot(filepath.Join(t.TempDir(), "none", "a.svg"), m); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
	if err := writePlot(filepath.Join(t.TempDir(), "a.svg"), m); err != nil {
		t.Errorf("a picture of nothing: %v", err)
	}
}

// half is a picture of which only the beginning fits on the disk.
type half struct{}

func (half) WriteTo(w io.Writer) (int64, error) {
	n, _ := io.WriteString(w, "<svg>")
	return int64(n), errors.New("disk full")
}

func TestNoHalfOfAPictureIsLeft(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.svg")
	err := save(file, half{})
	if _, statErr := os.Stat(file); err == nil || !os.IsNotExist(statErr) {
		t.Errorf("%v; the file: %v", err, statErr)
	}
}
