package shop

import (
	"strings"
	"testing"
)

// group collects the invoices of a file.
func invoicesOf(t *testing.T, text string) (all []*Invoice) {
	t.Helper()
	rows, bad := readRows(t, header+text)
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	var group Invoices
	for _, r := range rows {
		if v := group.Add(r); v != nil {
			all = append(all, v)
		}
	}
	if v := group.Flush(); v != nil {
		all = append(all, v)
	}
	if group.Flush() != nil {
		t.Error("a second Flush returns something")
	}
	return all
}

func TestLinesAreGroupedAsTheyCome(t *testing.T) {
	const rest = ",a,A,1,2010-12-01 08:26:00,1,17850.0,United Kingdom\n"
	got := invoicesOf(t, "1"+rest+"1"+rest+"C2"+rest+"1"+rest)
	if len(got) != 3 || len(got[0].Lines) != 2 || got[1].No != "C2" || !got[1].Cancels() || got[2].No != "1" || got[0].Cancels() {
		t.Errorf("got %d invoices: %+v", len(got), got)
	}
}

func TestAnotherCustomerIsAnotherInvoice(t *testing.T) {
	got := invoicesOf(t, "1,a,A,1,2010-12-01 08:26:00,1,17850.0,France\n1,a,A,1,2010-12-01 08:26:00,1,,France\n1,a,A,1,2010-12-01 08:26:00,1,,EIRE\n")
	if len(got) != 3 {
		t.Errorf("%d invoices, want 3: a line belongs to its own customer", len(got))
	}
}

func TestEndlessInvoiceIsHandedOverInParts(t *testing.T) {
	got := invoicesOf(t, strings.Repeat("1,a,A,1,2010-12-01 08:26:00,1,,France\n", 2*maxInvoiceLines+1))
	if len(got) != 3 || len(got[0].Lines) != maxInvoiceLines || len(got[2].Lines) != 1 {
		t.Errorf("%d parts", len(got))
	}
}
