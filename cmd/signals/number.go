package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// brief writes a number in at most six characters; nothing is a dot, so that
// the eye finds what is not nothing.
func brief(f float64) string {
	switch {
	case f == 0:
		return "·"
	case f < 0.05:
		return "<0.1"
	case f < 9.95:
		return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
	case f < 99_999.5:
		return strconv.FormatFloat(math.Round(f), 'f', 0, 64)
	}
	for _, unit := range []string{"k", "M", "G", "T"} {
		if f /= 1000; f < 999.5 {
			return three(f) + unit
		}
	}
	return strconv.FormatFloat(f*1e12, 'g', 1, 64)
}

// three writes a number up to 1000 in three digits.
func three(f float64) string {
	if f < 99.95 {
		return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}

func briefCount[N uint64 | int](n N) string { return brief(float64(n)) }

// took writes how long a call takes.
func took(seconds float64) string {
	switch {
	case seconds <= 0:
		return "·"
	case seconds < 999.5e-9:
		return three(seconds*1e9) + "ns"
	case seconds < 999.5e-6:
		return three(seconds*1e6) + "µs"
	case seconds < 999.5e-3:
		return three(seconds*1e3) + "ms"
	case seconds < 99.95:
		return three(seconds) + "s"
	}
	return ago(seconds)
}

// ago writes how long something has lasted, in one unit.
func ago(seconds float64) string {
	d := time.Duration(min(seconds, 1e9) * float64(time.Second))
	switch {
	case seconds < 9.95:
		return three(max(seconds, 0)) + "s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
