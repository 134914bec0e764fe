package main

import (
	"testing"
	"time"
)

func TestNumbersAreBrief(t *testing.T) {
	for f, want := range map[float64]string{
		0: "·", 0.001: "<0.1", 0.05: "0.1", 1: "1", 1.26: "1.3", 9.94: "9.9", 9.96: "10", 99999: "99999",
		99999.6: "100k", 123456: "123k", 999499: "999k", 999999: "1M", 1234567: "1.2M", 5e9: "5G", 2e12: "2T", 1e18: "1e+18",
	} {
		if got := brief(f); got != want || len(got) > 6 {
			t.Errorf("%v is %s, want %s", f, got, want)
		}
	}
	for f, want := range map[float64]string{
		0: "·", 4e-7: "400ns", 1e-6: "1µs", 71.6e-6: "71.6µs", 0.0123: "12.3ms", 0.9999: "1s", 5.25: "5.2s", 12: "12s", 300: "5m",
	} {
		if got := took(f); got != want {
			t.Errorf("%vs take %s, want %s", f, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 700 * time.Millisecond: "0.7s", 3 * time.Second: "3s", 42 * time.Second: "42s", 119 * time.Second: "119s",
		2 * time.Minute: "2m", 3 * time.Hour: "3h", 100 * time.Hour: "4d", 1 << 62: "11574d",
	} {
		if got := ago(d.Seconds()); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
