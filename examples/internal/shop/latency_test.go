package shop

import (
	"testing"
	"time"
)

func TestPercentiles(t *testing.T) {
	l := NewLatency()
	for i := 1; i <= 1000; i++ {
		l.Record(time.Duration(i) * time.Millisecond)
	}
	p := l.Percentiles()
	for _, c := range []struct {
		name      string
		got, want time.Duration
	}{{"p50", p.P50, 500}, {"p99", p.P99, 990}, {"p99.9", p.P999, 999}, {"max", p.Max, 1000}} {
		want := c.want * time.Millisecond
		if c.got < want*999/1000 || c.got > want*1001/1000 {
			t.Errorf("%s = %v, want %v", c.name, c.got, want)
		}
	}
	if p.Count != 1000 {
		t.Errorf("count = %d", p.Count)
	}
}

func TestOddDurationsAreCounted(t *testing.T) {
	l := NewLatency()
	for _, d := range []time.Duration{-time.Second, 0, time.Hour} {
		l.Record(d)
	}
	if p := l.Percentiles(); p.Count != 3 || p.Max < longest*99/100 {
		t.Errorf("got %+v", p)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		132990: "133µs", 8490: "8.49µs", 12: "12ns", 0: "0s", 4_438_123: "4.44ms", 1_234_567_890: "1.23s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %s, want %s", d, got, want)
		}
	}
}
