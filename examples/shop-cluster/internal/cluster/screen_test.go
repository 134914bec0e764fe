package cluster

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestTableStaysBelowTheLines(t *testing.T) {
	var out bytes.Buffer
	s := NewScreen(&out, func() int { return 12 })
	s.Table([]string{"first", "a line that is too long"}, "")
	s.Printf("said")
	s.Table([]string{"second"}, "")
	s.Table(nil, "")
	s.Printf("end")
	const up2 = "\r\x1b[2A\x1b[J"
	want := "first\na line that\n" + up2 + "said\nfirst\na line that\n" + up2 + "second\nend\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

func TestWithoutTerminalThereAreLines(t *testing.T) {
	var out bytes.Buffer
	s := NewScreen(&out, func() int { return 0 })
	for range 3 {
		s.Table([]string{"table"}, "line")
	}
	s.Printf("said")
	s.Table(nil, "")
	if out.String() != "line\nsaid\n" { // one line a second
		t.Errorf("got %q", out.String())
	}
}

func TestProcessesAreNamed(t *testing.T) {
	var out bytes.Buffer
	p := &prefixer{to: &out, prefix: "orders: "}
	for _, part := range []string{"a", "b\nc", "\n\nd"} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("Write(%q) = %d, %v", part, n, err)
		}
	}
	if out.String() != "orders: ab\norders: c\norders: \n" {
		t.Errorf("got %q", out.String())
	}
}

func TestColumnsFitATerminal(t *testing.T) {
	c := &cluster{want: Totals{Orders: 25_901}, began: time.Now()}
	for _, role := range roles {
		c.workers = append(c.workers, &worker{job: job{Role: role}, state: "starting", kills: 5,
			last: report{Orders: 25_901, Repeats: 12, Total: "revenue 9,747,747.93"}})
	}
	for _, line := range c.table() {
		if n := len([]rune(line)); n > 79 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if got := strings.Join(c.table(), "\n"); !strings.Contains(got, "100%") {
		t.Errorf("no progress in\n%s", got)
	}
}
