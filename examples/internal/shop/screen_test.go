package shop

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestLinesScrollAboveTheBar(t *testing.T) {
	var out bytes.Buffer
	s := NewScreen(&out, 60)
	s.Bar(0.5, "half")
	s.Printf("a line")
	io.WriteString(s.Through(&out), "an error\n")
	s.Bar(0, "")
	bar := renderBar(0.5, "half", 59)
	want := bar + "\r\x1b[Ka line\n" + bar + "\r\x1b[Kan error\n" + bar + "\r\x1b[K"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

func TestNoBarWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	s := NewScreen(&out, 0)
	s.Bar(0.5, "half")
	s.Printf("a line")
	if out.String() != "a line\n" {
		t.Errorf("got %q", out.String())
	}
}

func TestBarFitsTheLine(t *testing.T) {
	for width := range 200 {
		for _, part := range []float64{-1, 0, 0.3, 1, 2} {
			if got := renderBar(part, "123,456 lines in 7.8 s", width); len([]rune(got)) > width {
				t.Fatalf("%d columns in a line of %d: %q", len(got), width, got)
			}
		}
	}
	if got := renderBar(0.5, "x", 80); !strings.Contains(got, "####....") || !strings.Contains(got, "50%") {
		t.Errorf("got %q", got)
	}
}

func TestPrintableObeysNobody(t *testing.T) {
	if got := printable("a\x1b[31mb\xffc\n", 40); got != "a?[31mb?c?" {
		t.Errorf("got %q", got)
	}
	if got := printable("abcdef", 4); got != "abc…" {
		t.Errorf("got %q", got)
	}
}
