package english

import (
	"math"
	"testing"
)

func TestDigitsStandInThrees(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 12: "12", 999: "999", 1000: "1,000", -999: "-999", -1234: "-1,234", 1234567: "1,234,567",
		math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := Group(n); got != want {
			t.Errorf("Group(%d) is %s; want %s", n, got, want)
		}
	}
}

func TestOneThingIsOne(t *testing.T) {
	for n, want := range map[int]string{0: "0 orders", 1: "1 order", 2: "2 orders", 2000: "2,000 orders"} {
		if got := Plural(n, "order"); got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
}
