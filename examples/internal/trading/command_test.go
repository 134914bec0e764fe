package trading

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/signals/examples/internal/exampletest"
	"example.com/signals/examples/internal/trading/feedgen"
	"example.com/signals/examples/internal/trading/itch"
)

// result is what a program left behind.
type result struct {
	code           int
	stdout, stderr string
	plotted        []Measurement
}

func run(ctx context.Context, width, height int, args ...string) (r result) {
	var out, errs bytes.Buffer
	r.code = Command(ctx, args, Env{
		Stdout: &out, Stderr: &errs, Size: func() (int, int) { return width, height },
		Plot: func(_ string, m Measurement) error { r.plotted = append(r.plotted, m); return nil },
	})
	r.stdout, r.stderr = out.String(), errs.String()
	return r
}

// file writes a file of that name and content.
func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func packed(t *testing.T, content []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

func TestWrongUseGivesOneClearLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	day := invented(t, feedgen.Config{Messages: 5_000, Stocks: 5, Seed: 1})
	z := packed(t, day)
	good := file(t, "good", day)
	dir := filepath.Join(t.TempDir(), "x.svg")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown flag", []string{"-frobnicate"}, ExitUsage, "-frobnicate"},
		{"argument", []string{"replay"}, ExitUsage, `"replay"`},
		{"no duration", []string{"-duration", "0s"}, ExitUsage, "-duration 0s"},
		{"rate in words", []string{"-rate", "much"}, ExitUsage, `"much"`},
		{"no number for a rate", []string{"-rate", "NaN"}, ExitUsage, "-rate NaN"},
		{"no stocks", []string{"-stocks", "0"}, ExitUsage, "-stocks 0"},
		{"picture of a wrong kind", []string{"-plot", "x.png"}, ExitUsage, `"x.png"`},
		{"bad speed", []string{"-replay", good, "-speed", "fast"}, ExitUsage, `"fast"`},
		{"both ways", []string{"-replay", "x", "-generate", "3", "y"}, ExitUsage, "no sense together"},
		{"session and replay", []string{"-replay", "x", "-rate", "3"}, ExitUsage, "-rate makes no sense with -replay"},
		{"json of a session", []string{"-json"}, ExitUsage, "-json makes no sense without -replay"},
		{"plot of nothing", []string{"-generate", "3", "y", "-plot", "x.svg"}, ExitUsage, "-plot makes no sense with -generate"},
		{"no file", []string{"-replay", ""}, ExitUsage, "-replay needs a file"},
		{"no file to write", []string{"-generate", "3"}, ExitUsage, "needs a file to write"},
		{"two files to write", []string{"-generate", "3", "a", "b"}, ExitUsage, `"b"`},
		{"no messages", []string{"-generate", "0", "y"}, ExitUsage, "-generate 0"},
		{"taken port", []string{"-http", taken.Addr().String()}, ExitFailed, "address already in use"},
		{"nowhere to write", []string{"-generate", "3", filepath.Join(t.TempDir(), "none", "y")}, ExitFailed, "no such file"},
		{"missing file", []string{"-replay", filepath.Join(t.TempDir(), "none")}, ExitFailed, "no such file"},
		{"no address", []string{"-http", ""}, ExitUsage, "-http needs an address"},
		{"empty file name to write", []string{"-generate", "3", ""}, ExitUsage, "it is empty"},
		{"commands for a terminal", []string{"-a\x1b[31m\nb"}, ExitUsage, `-a\x1b[31m; b`},
		{"nowhere to draw", []string{"-replay", good, "-plot", filepath.Join(t.TempDir(), "none", "x.svg")}, ExitFailed, "x.svg: no such file"},
		{"picture over a directory", []string{"-plot", dir}, ExitFailed, "is a directory"},
		{"gzip cut off at its head", []string{"-replay", file(t, "a.gz", z[:9])}, ExitFailed, "a.gz: the gzip file is cut off"},
		{"more than gzip", []string{"-replay", file(t, "a.gz", append(bytes.Clone(z), "garbage and more"...))}, ExitFailed, "what follows the gzip data is no gzip data"},
		{"directory", []string{"-replay", t.TempDir()}, ExitFailed, "is a directory"},
		{"empty file", []string{"-replay", file(t, "a", nil)}, ExitFailed, "empty"},
		{"noise", []string{"-replay", file(t, "a", []byte("\x00\x02\xff\"\x01"))}, ExitFailed, "at byte 0: type 0xff is unknown"},
		{"noise as gzip", []string{"-replay", file(t, "a.gz", []byte("\x00\x93\xff"))}, ExitFailed, "not a gzip file"},
		{"gzip cut off", []string{"-replay", file(t, "a.gz", z[:len(z)/2])}, ExitFailed, "the gzip file is cut off: itch: at byte "},
		{"cut off", []string{"-replay", file(t, "a", day[:len(day)-1])}, ExitFailed, fmt.Sprintf("at byte %d: the stream ends inside a message of type 'S', 11 of 12 bytes", len(day)-14)},
		{"cut off, for scripts", []string{"-json", "-replay", file(t, "a", day[:len(day)-1])}, ExitFailed, "ends inside"},
	} {
		got := run(t.Context(), 0, 0, c.args...)
		if got.code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.name, got.code, c.code)
		}
		if !strings.HasPrefix(got.stderr, "trading: ") || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: stderr is %q, want one line with %q", c.name, got.stderr, c.want)
		}
		if got.stdout != "" {
			t.Errorf("%s: stdout is %q, want nothing", c.name, got.stdout)
		}
	}
}

func TestHelp(t *testing.T) {
	if got := run(t.Context(), 0, 0, "-help"); got.code != ExitOK || got.stderr != "" || !strings.HasPrefix(got.stdout, "usage: ") {
		t.Errorf("%+v", got)
	}
}

func TestReplayOfTheRealSampleForScripts(t *testing.T) {
	got := run(t.Context(), 0, 0, "-replay", exampletest.RealFile(t, "sample.itch50.gz"), "-json")
	var s summary
	if err := json.Unmarshal([]byte(got.stdout), &s); err != nil || got.code != ExitOK || got.stderr != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if s.Messages != 12_012 || s.Traded != 674_132 || s.ByType["A"] != 4_997 || s.Unknown != 117 || len(s.Books) != 6 {
		t.Errorf("%+v", s)
	}
}

func TestADayIsWrittenAndReplayed(t *testing.T) {
	for _, name := range []string{"day.itch", "day.itch.gz"} {
		path := filepath.Join(t.TempDir(), name)
		if got := run(t.Context(), 0, 0, "-generate", "30000", path, "-seed", "7", "-stocks", "20"); got.code != ExitOK || got.stderr != "" || !strings.Contains(got.stdout, "30,000 messages") {
			t.Fatalf("%+v", got)
		}
		o, err := oracleOf(bytes.NewReader(invented(t, feedgen.Config{Messages: 30_000, Stocks: 20, Seed: 7})))
		if err != nil {
			t.Fatal(err)
		}
		got := run(t.Context(), 0, 0, "-replay", path, "-plot", "x.svg")
		for _, want := range []string{"30,000 messages in ", "checksum " + o.checksum(), "tick to book", "messages a second, from when a message was due", "nothing lost"} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%s: no %q in\n%s", name, want, got.stdout)
			}
		}
		if got.code != ExitOK || got.stderr != "" || len(got.plotted) != 1 || got.plotted[0].Rate == 0 || got.plotted[0].ToBook.Percentiles().Count == 0 {
			t.Errorf("%s: exit code %d, stderr %q, %d plots", name, got.code, got.stderr, len(got.plotted))
		}
	}
}

func TestLenientReplaysTellWhatTheySkipped(t *testing.T) {
	day := invented(t, feedgen.Config{Messages: 3_000, Stocks: 5, Seed: 1})
	o, err := oracleOf(bytes.NewReader(day))
	if err != nil {
		t.Fatal(err)
	}
	// At the end of a sound day: a type that there is not, a size that it has
	// not, a time that is over, and half a message.
	late := itch.Delete{Ref: 1}.Message(itch.Header{Locate: 1, Time: time.Hour})
	bad := append(bytes.Clone(day), "\x00\x03Zab\x00\x02Da"...)
	bad = append(late.AppendFrame(bad), 0, 19, 'D')
	got := run(t.Context(), 0, 0, "-replay", file(t, "bad", bad), "-json", "-lenient")
	var s summary
	if err := json.Unmarshal([]byte(got.stdout), &s); err != nil || got.code != ExitOK {
		t.Fatalf("%+v, %v", got, err)
	}
	if !reflect.DeepEqual(s, o.summary()) {
		t.Errorf("%+v, want %+v", s, o.summary())
	}
	if !strings.HasSuffix(got.stderr, "skipped 4 messages: 1 unknown, 1 of a wrong size, 1 out of order, 0 damaged, 1 cut off at the end\n") {
		t.Errorf("stderr is %q", got.stderr)
	}
}

func TestPacedReplaysAreMeasuredAtTheirPace(t *testing.T) {
	path := file(t, "day", invented(t, feedgen.Config{Messages: 3_000, Stocks: 5, Seed: 1}))
	got := run(t.Context(), 0, 0, "-replay", path, "-speed", "1000000x")
	if got.code != ExitOK || !strings.Contains(got.stdout, "at the pace of the feed, from when") {
		t.Errorf("%+v", got)
	}
}

func TestAnInterruptedReplaySumsUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := file(t, "day", invented(t, feedgen.Config{Messages: 3_000, Stocks: 5, Seed: 1}))
	got := run(ctx, 0, 0, "-replay", path, "-speed", "1x")
	if got.code != ExitInterrupted || !strings.Contains(got.stdout, "nothing lost") || !strings.Contains(got.stderr, "interrupted") {
		t.Errorf("%+v", got)
	}
	out := filepath.Join(t.TempDir(), "half")
	if got := run(ctx, 0, 0, "-generate", "1000000", out); got.code != ExitInterrupted || !strings.Contains(got.stderr, "removed") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("the half file is there: %v", err)
	}
	if got := run(ctx, 0, 0, "-generate", "1000000", "-"); got.code != ExitInterrupted || !strings.Contains(got.stderr, "no whole day") {
		t.Errorf("to standard output: exit code %d, %q", got.code, got.stderr)
	}
}

// The second pass only measures latencies: whatever becomes of it, the first one is
// summed up, and the program says that the second was not whole.
func TestASecondPassThatIsNotWholeIsTold(t *testing.T) {
	path := file(t, "day", invented(t, feedgen.Config{Messages: 3_000, Stocks: 5, Seed: 1}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := Measurement{Run: Run{Messages: 1_000, Took: time.Second}}
	if interrupted, err := m.secondPass(ctx, options{replay: path}); !interrupted || err != nil {
		t.Errorf("interrupted %t, %v", interrupted, err)
	}
	var out, errs bytes.Buffer
	code := Command(t.Context(), []string{"-replay", path, "-http", "127.0.0.1:0"}, Env{Stderr: &errs, Stdout: printer(func(p []byte) (int, error) {
		os.Remove(path) // the first line comes when the first pass has opened it
		return out.Write(p)
	})})
	if code != ExitFailed || !strings.Contains(errs.String(), "no such file") || !strings.Contains(out.String(), "nothing lost") {
		t.Errorf("a file that has gone: exit code %d, %q, %q", code, &errs, &out)
	}
}

type printer func(p []byte) (int, error)

func (w printer) Write(p []byte) (int, error) { return w(p) }

func TestWhatCannotBePrintedIsAnError(t *testing.T) {
	path := file(t, "day", invented(t, feedgen.Config{Messages: 3_000, Stocks: 5, Seed: 1}))
	for _, args := range [][]string{
		{"-help"}, {"-replay", path}, {"-replay", path, "-json"}, {"-duration", "100ms", "-rate", "1000", "-stocks", "2"}, {"-generate", "10", "-"},
	} {
		var errs bytes.Buffer
		full := printer(func(p []byte) (int, error) {
			return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: errors.New("no space left")}
		})
		code := Command(t.Context(), args, Env{Stdout: full, Stderr: &errs, Size: func() (int, int) { return 0, 0 }})
		if code != ExitFailed || errs.String() != "trading: cannot write to standard output: no space left\n" {
			t.Errorf("%q: exit code %d, %q", args, code, &errs)
		}
	}
}

func TestContradictionsAreToldForScriptsToo(t *testing.T) {
	got := run(t.Context(), 0, 0, "-replay", file(t, "odd", contradictory(1, 1_000)), "-json")
	if got.code != ExitOK || !strings.HasSuffix(got.stderr, " contradicted those before\n") || !json.Valid([]byte(got.stdout)) {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
}

func TestASessionSumsUpAtItsEnd(t *testing.T) {
	got := run(t.Context(), 0, 0, "-duration", "300ms", "-rate", "100000", "-stocks", "10", "-http", "127.0.0.1:0", "-plot", "x.svg")
	for _, want := range []string{"http://127.0.0.1:", "30,000 messages in ", "at the pace of the feed", "nothing lost"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	if got.code != ExitOK || got.stderr != "" || strings.Contains(got.stdout, "\x1b") || len(got.plotted) != 1 {
		t.Errorf("exit code %d, stderr %q, %d plots\n%q", got.code, got.stderr, len(got.plotted), got.stdout)
	}
}

func TestOnATerminalTheTableIsDrawnInPlaceAndFits(t *testing.T) {
	const width, height = 60, 12
	got := run(t.Context(), width, height, "-duration", "1200ms", "-rate", "50000", "-stocks", "40")
	if got.code != ExitOK || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	drawn := strings.Split(got.stdout, "\x1b[J")
	if len(drawn) < 3 { // one drawing every 250 ms
		t.Fatalf("drawn %d times", len(drawn))
	}
	for i, d := range drawn[1 : len(drawn)-1] {
		text, up, _ := strings.Cut(d, "\x1b[")
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if want := fmt.Sprintf("%dA\r", len(lines)); up != want || len(lines) >= height {
			t.Errorf("drawing %d: %d lines, then %q, want %q", i, len(lines), up, want)
		}
		for _, l := range lines {
			if n := utf8.RuneCountInString(l); n >= width {
				t.Errorf("drawing %d: a line of %d: %q", i, n, l)
			}
		}
		if !regexp.MustCompile(`(?m)^AA[A-Z] +\d+ +\d+\.\d\d `).MatchString(text) {
			t.Errorf("drawing %d shows no stock:\n%s", i, text)
		}
	}
}

func TestATableFitsIntoEightyColumns(t *testing.T) {
	var out bytes.Buffer
	e := New(Config{})
	defer e.Close(t.Context())
	w := &watch{e: e, screen: newScreen(Env{Stdout: &out, Size: func() (int, int) { return 80, 24 }})}
	r := Report{Asked: int64(time.Hour), Lag: 123 * time.Microsecond, Feed: Feed{Messages: 98_765_432}}
	r.Stocks = []Row{{Stock: "HALTEDXY", Last: 199_999_9900, Volume: 123_456_789}}
	r.Stocks[0].Top.BidShares, r.Stocks[0].Top.AskShares = 12_345_678, 87_654_321
	r.Stocks[0].Top.BidPrice, r.Stocks[0].Top.AskPrice = 199_999_0000, 199_999_9900
	w.show(r)
	for _, want := range []string{"waiting\n", " volume\n", " 123,456,789  halted\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestATableIsErasedAlsoWhenTheTerminalIsNarrowerThanWhenItWasDrawn(t *testing.T) {
	var out bytes.Buffer
	width := 20
	s := newScreen(Env{Stdout: &out, Size: func() (int, int) { return width, 10 }})
	table := func(out io.Writer, _ int) { io.WriteString(out, "lag 12.345678901µs, and so on\nshort\n") }
	s.draw(table)
	if got, want := out.String(), "lag 12.345678901µs,\nshort\n"; got != want {
		t.Errorf("drawn %q, want %q", got, want)
	}
	out.Reset()
	width = 7 // its 19 characters are three lines now
	s.draw(table)
	if got, want := out.String(), "\x1b[4A\r\x1b[Jlag 12\nshort\n"; got != want {
		t.Errorf("drawn %q, want %q", got, want)
	}
	out.Reset()
	width = 17
	s.draw(func(out io.Writer, _ int) { io.WriteString(out, "lag 12.34567890µµs\n") })
	if got := out.String(); !strings.HasSuffix(got, "lag 12.34567890µ\n") {
		t.Errorf("drawn %q: a letter is cut in two", got)
	}
}

func TestALenientReplayOfGarbageWithoutEndCanBeInterrupted(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skipf("no endless file: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got := run(ctx, 0, 0, "-replay", "/dev/zero", "-lenient", "-json"); got.code != ExitInterrupted {
		t.Errorf("%d, %q, want %d", got.code, got.stderr, ExitInterrupted)
	}
}
