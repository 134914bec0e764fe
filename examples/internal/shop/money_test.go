package shop

import (
	"strings"
	"testing"
)

// money reads an amount that a test knows to be one.
func money(t testing.TB, text string) Money {
	t.Helper()
	m, err := ParseMoney(text)
	if err != nil {
		t.Fatalf("ParseMoney(%q): %v", text, err)
	}
	return m
}

func TestSumsAreExact(t *testing.T) {
	cent, sum := money(t, "0.01"), Money{}
	for range 1_000_000 {
		sum = sum.Add(cent)
	}
	if !sum.Equal(money(t, "10000")) {
		t.Errorf("a million cents are %v, want 10000", sum)
	}
}

func TestParseMoneyRefusesWhatIsNoAmount(t *testing.T) {
	for _, text := range []string{"", "abc", "1.2.3", "NaN", "Inf", "1e999999999", "1e-999999999", "£2", strings.Repeat("9", 41)} {
		if m, err := ParseMoney(text); err == nil {
			t.Errorf("ParseMoney(%q) = %v, want an error", text, m)
		}
	}
}

func TestFormatMoney(t *testing.T) {
	for _, c := range []struct {
		in       string
		decimals int32
		want     string
	}{
		{"0", 2, "0.00"},
		{"9747747.934", 3, "9,747,747.934"},
		{"9747747.934", 2, "9,747,747.934"}, // never rounded
		{"-11062.06", 3, "-11,062.060"},
		{"100", 2, "100.00"},
		{"-100000", 0, "-100,000"},
		{"1e3", 2, "1,000.00"},
		{"0.10000", 2, "0.10"},
	} {
		if got := FormatMoney(money(t, c.in), c.decimals); got != c.want {
			t.Errorf("FormatMoney(%s, %d) = %s, want %s", c.in, c.decimals, got, c.want)
		}
	}
}
