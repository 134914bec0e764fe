package inspector

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// count writes a number with its thousands apart.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// brief writes a number in at most five characters or so.
func brief(n float64) string {
	switch a := math.Abs(n); {
	case a == 0:
		return "0"
	case a < 0.01:
		return "<0.01"
	case a < 0.995:
		return strconv.FormatFloat(n, 'f', 2, 64)
	case a < 9.95:
		return trim(strconv.FormatFloat(n, 'f', 1, 64))
	case a < 9999.5:
		return count(uint64(math.Round(n)))
	case a < 999_500:
		return trim(strconv.FormatFloat(n/1e3, 'f', 1, 64)) + "k"
	case a < 999_500_000:
		return trim(strconv.FormatFloat(n/1e6, 'f', 1, 64)) + "M"
	default:
		return trim(strconv.FormatFloat(n/1e9, 'f', 1, 64)) + "G"
	}
}

func trim(s string) string {
	if n := len(s); n > 2 && s[n-2:] == ".0" {
		return s[:n-2]
	}
	return s
}

// seconds writes a duration in its two largest units.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d <= 0:
		return "0s"
	case d < time.Microsecond:
		return strconv.FormatInt(int64(d), 10) + "ns"
	case d < time.Millisecond:
		return three(float64(d)/1e3) + "µs"
	case d < time.Second:
		return three(float64(d)/1e6) + "ms"
	case d < 10*time.Second:
		return trim(strconv.FormatFloat(d.Seconds(), 'f', 1, 64)) + "s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// three writes a number in three digits.
func three(f float64) string {
	switch {
	case f < 9.95:
		return trim(strconv.FormatFloat(f, 'f', 1, 64))
	default:
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
}
