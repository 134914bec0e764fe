package shop

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals/examples/internal/exampletest"
)

// replayed runs a file through a shop and returns what was written to the
// screen and about errors.
func replayed(t testing.TB, ctx context.Context, path string, speed Speed) (s *Shop, done Replayed, said, complaints string, err error) {
	t.Helper()
	in, err := OpenInput(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s = opened(t, func(c *Config) { c.Stock, c.Ledger = EndlessStock(), NoLedger{} })
	var out, errs bytes.Buffer
	r := Replay{Shop: s, Input: in, Speed: speed, Screen: NewScreen(&out, 0), Errors: &errs}
	done, err = r.Run(ctx)
	closed(t, s)
	return s, done, out.String(), errs.String(), err
}

const smallFile = header +
	"1,a,A,2,2010-12-01 08:00:00,1.5,17850.0,France\n" +
	"1,b,B,1,2010-12-01 08:00:00,0.0,17850.0,France\n" +
	"C2,a,A,-1,2010-12-01 09:00:00,1.5,17850.0,France\n" +
	"3,c,C,-5,2010-12-01 10:00:00,0,,EIRE\n" +
	"1,a,A,1,2010-12-01 11:00:00,1.125,17850.0,France\n"

func TestReplay(t *testing.T) {
	for name, path := range map[string]string{
		"plain": file(t, "a.csv", []byte(smallFile)), "gzip": file(t, "a.csv.gz", gzipped(t, smallFile)),
	} {
		t.Run(name, func(t *testing.T) {
			s, done, said, complaints, err := replayed(t, t.Context(), path, MaxSpeed)
			if err != nil || complaints != "" || done != (Replayed{Lines: 5}) {
				t.Fatalf("%+v, %q, %v", done, complaints, err)
			}
			want := Totals{
				Lines: 5, Unpriced: 2, Anonymous: 1, Invoices: 3, Cancellations: 1, Customers: 1, Codes: 3,
				Quantity: -2, Revenue: money(t, "2.625"),
			}
			if diff := s.Books.Totals().Diff(want); diff != nil {
				t.Error(diff)
			}
			if s.Orders() != 3 || s.Cancellations() != 1 {
				t.Errorf("%d orders, %d cancellations: the second part of invoice 1 is an emission of its own", s.Orders(), s.Cancellations())
			}
			if !strings.HasPrefix(said, "read 5 lines") {
				t.Errorf("said %q", said)
			}
		})
	}
}

func TestMalformedRowsAreReportedAndSkipped(t *testing.T) {
	text := smallFile + "4,a,A,x,2010-12-01 12:00:00,1,,France\n5,a,A,1,2010-12-01 13:00:00,1,,\"France\n6,a,A,1,2010-12-01 14:00:00,1,,France\n"
	s, done, said, complaints, err := replayed(t, t.Context(), file(t, "a.csv", []byte(text)), MaxSpeed)
	if err != nil || done != (Replayed{Lines: 6, Malformed: 2}) || s.Books.Totals().Lines != 6 {
		t.Errorf("%+v, %v", done, err)
	}
	want := "shop: line 7: Quantity \"x\" is not a whole number; skipped\nshop: line 8: a quoted field is not closed; skipped\n"
	if complaints != want {
		t.Errorf("complaints:\n%swant:\n%s", complaints, want)
	}
	if !strings.Contains(said, "2 malformed") {
		t.Errorf("said %q", said)
	}
}

func TestFileOfNonsenseDoesNotFloodTheScreen(t *testing.T) {
	text := header + strings.Repeat("nonsense\n", 10*maxReported)
	_, done, _, complaints, err := replayed(t, t.Context(), file(t, "a.csv", []byte(text)), MaxSpeed)
	if err != nil || done.Malformed != 10*maxReported || strings.Count(complaints, "\n") != maxReported+1 {
		t.Errorf("%+v, %v, %d lines", done, err, strings.Count(complaints, "\n"))
	}
}

func TestBrokenFileEndsTheReplay(t *testing.T) {
	whole := gzipped(t, header+randomRows(2000))
	path := file(t, "a.csv.gz", whole[:len(whole)/2])
	_, done, said, _, err := replayed(t, t.Context(), path, MaxSpeed)
	if err == nil || !strings.Contains(err.Error(), "cut off") || done.Lines == 0 || said != "" {
		t.Errorf("%+v, %v, said %q", done, err, said)
	}
}

// randomRows are rows that gzip cannot make disappear.
func randomRows(n int) string {
	var b strings.Builder
	g := NewGenerator(1)
	for b.Len() < n*60 {
		if a := g.Next(time.Time{}); a.Order != nil {
			for _, l := range a.Order.Lines {
				b.WriteString(strings.Join([]string{
					a.Order.ID, l.Code, l.Description, "3", "2010-12-01 08:00:00", l.Price.String(), a.Order.Customer, a.Order.Country,
				}, ",") + "\n")
			}
		}
	}
	return b.String()
}

func TestReplayKeepsItsPace(t *testing.T) {
	path := file(t, "a.csv", []byte(smallFile))
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, done, said, _, err := replayed(t, t.Context(), path, 1000)
		// Three hours at 1000x.
		if took := time.Since(start).Round(time.Millisecond); err != nil || done.Lines != 5 || took != 10800*time.Millisecond {
			t.Errorf("%+v after %v, %v", done, took, err)
		}
		if !strings.Contains(said, "100%, ") {
			t.Errorf("no progress was shown: %q", said)
		}
	})
}

func TestInterruptedReplayLosesNothing(t *testing.T) {
	path := file(t, "a.csv", []byte(smallFile))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		s, done, _, _, err := replayed(t, ctx, path, 1000)
		if err != nil || !done.Interrupted || done.Lines != 3 || s.Books.Totals().Lines != 3 {
			t.Errorf("%+v, %v: want the 3 lines of the first 4 seconds", done, err)
		}
	})
}

// silence is an input that neither speaks nor ends.
type silence struct{ end chan struct{} }

func (s silence) Read([]byte) (int, error) { <-s.end; return 0, io.EOF }

func TestInterruptDoesNotWaitForSilentInput(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := opened(t, nil)
	quiet := silence{make(chan struct{})}
	defer close(quiet.end)
	// The header and one invoice, then nothing.
	in := &Input{Name: "standard input", text: io.MultiReader(strings.NewReader(smallFile), quiet)}
	s.Signals.Accepted.Subscribe(func(context.Context, Order) error { cancel(); return nil })
	r := Replay{Shop: s, Input: in, Screen: NewScreen(io.Discard, 0), Errors: io.Discard}
	done, err := r.Run(ctx)
	if err != nil || !done.Interrupted {
		t.Errorf("%+v, %v", done, err)
	}
}

// Not even for the first bytes, nor for a named pipe that nobody writes to.
func TestInterruptDoesNotWaitForInputThatNeverBegins(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	before := os.Stdin
	os.Stdin = read
	defer func() { os.Stdin = before }()
	pipe := filepath.Join(t.TempDir(), "pipe")
	sources := []string{"-"}
	if err := syscall.Mkfifo(pipe, 0o600); err == nil {
		sources = append(sources, pipe)
	}
	for _, source := range sources {
		ctx, cancel := context.WithCancel(t.Context())
		var errs bytes.Buffer
		code := make(chan int)
		go func() { code <- Command(ctx, []string{"-replay", source}, io.Discard, &errs, 0) }()
		cancel()
		if got := <-code; got != ExitInterrupted || !strings.Contains(errs.String(), "interrupted") {
			t.Errorf("%s: exit code %d, %q", source, got, errs.String())
		}
	}
	write.Close() // lets the goroutine that reads go
	if len(sources) == 2 {
		f, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for the one that opens, and lets it go
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

func TestRealFile(t *testing.T) {
	s, done, _, complaints, err := replayed(t, t.Context(), exampletest.RealFile(t, "online-retail.csv.gz"), MaxSpeed)
	if err != nil || complaints != "" || done != (Replayed{Lines: 541_909}) {
		t.Fatalf("%+v, %q, %v", done, complaints, err)
	}
	published := Totals{
		Lines: 541_909, Unpriced: 2_517, Anonymous: 135_080, Invoices: 25_900, Cancellations: 3_836,
		Customers: 4_372, Codes: 4_070, Quantity: 5_176_450, Revenue: money(t, "9747747.934"),
	}
	if diff := s.Books.Totals().Diff(published); diff != nil {
		t.Errorf("sync path and published totals differ: %v", diff)
	}
	if diff := s.DepartmentTotals().Diff(published); diff != nil {
		t.Errorf("departments and published totals differ: %v", diff)
	}
	for _, st := range s.Signals.Stats() {
		if st.Failures != 0 || st.Drops != 0 || st.Refusals != 0 || st.Pending != 0 {
			t.Errorf("%s: %+v", st.Name, st)
		}
	}
	var summary bytes.Buffer
	if !s.WriteSummary(&summary, true) {
		t.Error("the summary does not agree")
	}
	for _, want := range []string{"541,909", "25,900", "3,836", "4,372", "135,080", "4,070", "5,176,450", "9,747,747.934", "2,517", "nothing lost"} {
		if !strings.Contains(summary.String(), want) {
			t.Errorf("the summary lacks %s", want)
		}
	}
	if t.Failed() {
		t.Log(summary.String())
	}
}

func TestOfAFileThatBreaksOffTheLastInvoiceIsNotPlaced(t *testing.T) {
	whole := gzipped(t, header+strings.Repeat("1,a,A,2,2010-12-01 08:00:00,1.5,17850.0,France\n", 100))
	s, done, _, _, err := replayed(t, t.Context(), file(t, "a.csv.gz", whole[:len(whole)-8]), MaxSpeed)
	if err == nil || done.Lines != 0 || s.Orders() != 0 {
		t.Errorf("%+v, %d orders, %v: all that could be read may be a part of an invoice", done, s.Orders(), err)
	}
}
