package shop

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

const header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

// readRows reads a file to its end.
func readRows(t testing.TB, text string) (rows []Row, bad []*RowError) {
	t.Helper()
	r, err := NewRowReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := r.Next()
		var rowErr *RowError
		switch {
		case errors.Is(err, io.EOF):
			return rows, bad
		case errors.As(err, &rowErr):
			bad = append(bad, rowErr)
		case err != nil:
			t.Fatal(err)
		default:
			rows = append(rows, row)
		}
	}
}

func TestRow(t *testing.T) {
	rows, bad := readRows(t, header+
		"536365,85123A,\"HEART, WHITE\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"+
		"C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,,\n")
	if len(bad) != 0 || len(rows) != 2 {
		t.Fatalf("%d rows, bad: %v", len(rows), bad)
	}
	first := rows[0]
	if first.Line != 2 || first.Invoice != "536365" || first.Item.Code != "85123A" || first.Item.Description != "HEART, WHITE" ||
		first.Item.Quantity != 6 || !first.Item.Price.Equal(money(t, "2.55")) || first.Customer != "17850" ||
		first.Country != "United Kingdom" || !first.Time.Equal(time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC)) {
		t.Errorf("first row: %+v", first)
	}
	if second := rows[1]; second.Customer != "" || second.Item.Quantity != -1 || second.Line != 3 {
		t.Errorf("second row: %+v", second)
	}
}

// Spreadsheets write a byte order mark, and quotes around every name.
func TestAByteOrderMarkIsNoPartOfTheHeader(t *testing.T) {
	quoted := `"` + strings.ReplaceAll(strings.TrimSpace(header), ",", `","`) + "\"\r\n"
	for _, h := range []string{header, quoted} {
		rows, bad := readRows(t, "\ufeff"+h+"1,2,3,4,2010-12-01 08:26:00,2.55,5,6\r\n")
		if len(rows) != 1 || len(bad) != 0 || rows[0].Line != 2 {
			t.Errorf("%q: %d rows, bad: %v", h, len(rows), bad)
		}
	}
}

func TestOnlyWhatCannotBeParsedIsMalformed(t *testing.T) {
	good := []string{
		"A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.06,,United Kingdom",
		"536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom",
		"537032,21275,?,-30,2010-12-03 16:50:00,0.0,,United Kingdom",
		"1,2,3,0,2010-12-03 16:50:00,1,not a number,",
		"1,2,\xff£,1,2010-12-03 16:50:00,1.12345678901,5,x",
	}
	rows, bad := readRows(t, header+strings.Join(good, "\n"))
	if len(rows) != len(good) || len(bad) != 0 {
		t.Errorf("%d of %d rows; bad: %v", len(rows), len(good), bad)
	}

	for row, reason := range map[string]string{
		"1,2,3,4,2010-12-01 08:26:00,2.55,5":                "7 fields, want 8",
		"1,2,3,4,2010-12-01 08:26:00,2.55,5,6,7":            "9 fields, want 8",
		",2,3,4,2010-12-01 08:26:00,2.55,5,6":               "InvoiceNo is empty",
		"1, ,3,4,2010-12-01 08:26:00,2.55,5,6":              "StockCode is empty",
		"1,2,3,four,2010-12-01 08:26:00,2.55,5,6":           `Quantity "four" is not a whole number`,
		"1,2,3,4.5,2010-12-01 08:26:00,2.55,5,6":            `Quantity "4.5" is not a whole number`,
		"1,2,3,99999999999,2010-12-01 08:26:00,2.55,5,6":    `Quantity "99999999999" is not a whole number`,
		"1,2,3,4,2010-12-01 08:26:00,,5,6":                  `UnitPrice "" is not a number`,
		"1,2,3,4,2010-12-01 08:26:00,1e999999,5,6":          `UnitPrice "1e999999" is not a number`,
		"1,2,3,4,,2.55,5,6":                                 `InvoiceDate "" is not a date such as 2010-12-01 08:26:00`,
		"1,2,3,4,2010-13-01 08:26:00,2.55,5,6":              `InvoiceDate "2010-13-01 08:26:00" is not a date such as 2010-12-01 08:26:00`,
		"1,2,\"3,4,2010-12-01 08:26:00,2.55,5,6":            errOpenQuote.Error(),
		"1,2,3\",4,2010-12-01 08:26:00,2.55,5,6":            errBareQuote.Error(),
		"1,2,\"3\"x,4,2010-12-01 08:26:00,2.55,5,6":         errStrayQuote.Error(),
		strings.Repeat("x", 100_000) + ",2,3,4,5,6,7,8\r\n": "longer than 65536 bytes",
	} {
		rows, bad := readRows(t, header+good[0]+"\n"+row+"\n"+good[1]+"\n")
		if len(rows) != 2 || len(bad) != 1 {
			t.Errorf("%.50q: %d rows around it, want 2; bad: %v", row, len(rows), bad)
		} else if bad[0].Line != 3 || bad[0].Reason != reason {
			t.Errorf("%.50q: line %d, %s; want line 3, %s", row, bad[0].Line, bad[0].Reason, reason)
		}
	}
}

func TestHeaderIsChecked(t *testing.T) {
	for name, text := range map[string]string{
		"empty":           "",
		"fewer columns":   "InvoiceNo,StockCode\n",
		"another name":    strings.Replace(header, "UnitPrice", "Price", 1),
		"another order":   "StockCode,InvoiceNo,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n",
		"no header":       "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n",
		"noise":           "\x93\x00\xff\x12\"\x00",
		"a line of noise": strings.Repeat("\x93", 1<<20),
	} {
		_, err := NewRowReader(strings.NewReader(text))
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if msg := err.Error(); strings.Contains(msg, "\n") || len(msg) > 300 {
			t.Errorf("%s: not one clear line: %q", name, msg)
		}
	}
	if rows, _ := readRows(t, "\ufeff"+strings.Replace(header, "\n", "\r\n", 1)); len(rows) != 0 {
		t.Errorf("a byte order mark and CRLF: %v", rows)
	}
}

// FuzzRows: whatever follows the header, reading ends without a panic, every
// row makes sense, and every line of text is either a row, a part of one, or
// reported.
func FuzzRows(f *testing.F) {
	f.Add("536365,85123A,\"HEART, WHITE\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n")
	f.Add("C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,,\r\n\r\n")
	f.Add("1,2,\"3\n4\",4,2010-12-01 08:26:00,1e3,5,6\n1,2\n")
	f.Add("A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.06,,United Kingdom")
	f.Add("1,2,3,9223372036854775807,2010-12-01 08:26:00,1e-99,5,6\n\"")
	f.Add("\x00\xff\n,,,,,,,\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, bad := readRows(t, header+text)
		for _, r := range rows {
			if r.Invoice == "" || r.Item.Code == "" || r.Time.IsZero() && !bytes.Contains([]byte(text), []byte("0001-01-01")) {
				t.Fatalf("%q: row without sense: %+v", text, r)
			}
			if r.Item.Amount().Exponent() < -maxMoneyExponent {
				t.Fatalf("%q: an amount of %d decimals", text, -r.Item.Amount().Exponent())
			}
		}
		if strings.TrimSpace(text) != "" && len(rows)+len(bad) == 0 {
			t.Fatalf("%q: neither rows nor complaints", text)
		}
	})
}
