package shop

import (
	"errors"
	"strings"

	"github.com/shopspring/decimal"

	"example.com/signals/examples/internal/english"
)

// Money is an exact decimal number. Sums and products never round, so the
// revenue of half a million lines is right to the last digit; float64 is off
// after a few thousand.
type Money = decimal.Decimal

// Longest text and largest exponent that are taken for an amount. Exact
// arithmetic on 1e999999999 would fill the memory with zeros.
const (
	maxMoneyText     = 40
	maxMoneyExponent = 30
)

var errMoney = errors.New("not an amount of money")

// ParseMoney reads an amount such as 2.55 or -11062.06.
func ParseMoney(s string) (Money, error) {
	if s == "" || len(s) > maxMoneyText {
		return Money{}, errMoney
	}
	m, err := decimal.NewFromString(s)
	if err != nil || m.Exponent() > maxMoneyExponent || m.Exponent() < -maxMoneyExponent {
		return Money{}, errMoney
	}
	return m, nil
}

// Units is n as a factor for a price.
func Units(n int64) Money { return decimal.NewFromInt(n) }

// FormatMoney writes m with at least the given number of decimals, and more
// only if rounding would change it; groups of three digits are set apart.
func FormatMoney(m Money, decimals int32) string {
	places := max(decimals, -m.Exponent())
	text := m.StringFixed(places)
	whole, frac, _ := strings.Cut(text, ".")
	for int32(len(frac)) > decimals && strings.HasSuffix(frac, "0") {
		frac = frac[:len(frac)-1]
	}
	text = english.GroupDigits(whole)
	if frac != "" {
		text += "." + frac
	}
	return text
}

// amount is money as the API writes it: 5.10, never 5.1.
type amount struct{ Money }

// MarshalJSON writes a string, which no reader rounds.
func (a amount) MarshalJSON() ([]byte, error) {
	return []byte(`"` + strings.ReplaceAll(FormatMoney(a.Money, 2), ",", "") + `"`), nil
}
