package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/signals/bench"
)

var update = flag.Bool("update", false, "write what the tests compare with")

// made returns a report of numbers that were not measured.
func made() report {
	r := report{
		Machine: "a processor, 2 processors, linux/amd64, go1.26",
		Load:    "0.10 before, 2.00 after",
		Busy:    true,
		Command: "go run ./cmd/report",
		Date:    "2026-01-02",
		Plan:    plan{samples: 5, turns: 2, slice: time.Millisecond, paced: 10},
	}
	for i, p := range []bench.Peer{
		{Name: "signals, sync", Module: "example.com/signals", Setup: "NewSync", Inline: true, Ordered: true, Unequal: "the measure"},
		{Name: "signals, async", Module: "example.com/signals", Setup: "New", Ordered: true, Unequal: "the measure"},
		{Name: "channels", Setup: "by hand", Ordered: true, Unequal: "bounded"},
		{Name: "other", Module: "example.org/other", Setup: "New()", Unequal: "no order"},
	} {
		one := result{Peer: p, Times: map[string]timed{}, Allocs: map[string]float64{}, Delays: map[string][3]time.Duration{}}
		if p.Name == "other" {
			one.Version, one.Disordered = "v1.2.3", 12.34
		}
		for k, s := range scenarios {
			one.Times[s.name] = timed{float64(i+1) * 12.5 * float64(k*k*k+1), float64(i) + 0.25}
			one.Allocs[s.name] = float64(i) * 1.05
		}
		for _, s := range []string{delays1, delays10} {
			one.Delays[s] = [3]time.Duration{time.Duration(i+1) * 345, time.Duration(i+1) * 4567, time.Duration(i+1) * 567890}
		}
		r.Results = append(r.Results, one)
	}
	return r
}

func TestTableLooksLikeThis(t *testing.T) {
	golden := filepath.Join("testdata", "table.md")
	got := made().table()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the table is not that of %s; run the test with -update and look at it. It is\n%s", golden, got)
	}
}

func TestOnlyWhatIsBetweenTheMarkersIsWritten(t *testing.T) {
	dir := t.TempDir()
	page, chart := filepath.Join(dir, "page.md"), filepath.Join(dir, "chart.svg")
	text := "before\n<!-- peers -->\nold\n<!-- /peers -->\nafter\n"
	r := made()
	for range 2 { // what was written is replaced
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := r.write(page, chart); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if want := "before\n<!-- peers -->\n" + r.table() + "<!-- /peers -->\nafter\n"; string(got) != want {
			t.Fatalf("got %s", got)
		}
		text = string(got)
	}
	if _, err := os.Stat(chart); err != nil {
		t.Error(err)
	}
}

func TestPageWithoutMarkersIsLeftAlone(t *testing.T) {
	for _, text := range []string{"", "<!-- peers -->", "<!-- /peers --> <!-- peers -->"} {
		page := filepath.Join(t.TempDir(), "page.md")
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := made().write(page, page+".svg"); err == nil {
			t.Errorf("%q: no error", text)
		}
		if got, err := os.ReadFile(page); err != nil || string(got) != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

func TestChartNamesEveryPeer(t *testing.T) {
	svg, err := made().chart()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			texts = append(texts, string(text))
		}
	}
	all := strings.Join(texts, "\n")
	for _, one := range made().Results {
		if !strings.Contains(all, one.Peer.Name) {
			t.Errorf("%q is not in the chart", one.Peer.Name)
		}
	}
}

func TestNumbersAreShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 1.234: "1.23", 10: "10", 12.34: "12.3", 123.4: "123", 1234.5: "1,234", 1234567: "1,234,567"} {
		if got := digits(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
}

// All of it, with little to do.
func TestEverythingIsMeasured(t *testing.T) {
	results, err := measure(bench.Peers(), plan{samples: 1, turns: 1, slice: 100 * time.Microsecond, paced: 5, counted: 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		for _, s := range scenarios {
			if got := r.Times[s.name]; got.NS <= 0 || got.Ratio <= 0 {
				t.Errorf("%s, %s: %+v", r.Peer.Name, s.name, got)
			}
		}
		for _, s := range []string{delays1, delays10} {
			if d := r.Delays[s]; d[0] <= 0 || d[0] > d[1] || d[1] > d[2] {
				t.Errorf("%s, %s: %v", r.Peer.Name, s, d)
			}
		}
	}
}
