// Package english writes numbers as people read them, for the programs in examples.
package english

import (
	"fmt"
	"strings"
)

// Plural counts things, with a comma between every three digits: "1 order",
// "2,000 orders".
func Plural[N ~int | ~int64 | ~uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Group(n) + " " + what + "s"
}

// Group writes a whole number with a comma between every three digits.
func Group[N ~int | ~int64 | ~uint64](n N) string { return GroupDigits(fmt.Sprint(n)) }

// GroupDigits is Group for a number that is written already.
func GroupDigits(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
