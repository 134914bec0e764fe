package shop

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseSpeed(t *testing.T) {
	for text, want := range map[string]Speed{"max": MaxSpeed, "1x": 1, "1000x": 1000, "0.5x": 0.5} {
		got, err := ParseSpeed(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("ParseSpeed(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "0x", "-1x", "1", "fast", "NaNx", "Infx", "1e300x", "1xx", "MAX"} {
		if got, err := ParseSpeed(text); err == nil {
			t.Errorf("ParseSpeed(%q) = %v, want an error", text, got)
		}
	}
}

func TestPacerKeepsDistances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		day := time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC)
		p := NewPacer(1000)
		start := time.Now()
		for _, step := range []struct{ at, want time.Duration }{
			{0, 0}, {1000 * time.Second, time.Second}, {time.Second, time.Second}, {5000 * time.Second, 5 * time.Second},
		} {
			if err := p.Wait(t.Context(), day.Add(step.at)); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != step.want {
				t.Errorf("what is dated %v later came after %v, want %v", step.at, got, step.want)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Wait(ctx, day.Add(24*time.Hour)); err == nil {
			t.Error("Wait does not end with its context")
		}
		start = time.Now()
		fast := NewPacer(MaxSpeed)
		for n := range 3 {
			if err := fast.Wait(t.Context(), day.AddDate(n, 0, 0)); err != nil || time.Since(start) != 0 {
				t.Errorf("at full speed: waited %v, %v", time.Since(start), err)
			}
		}
	})
}
