package shop

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
)

// record is what the reader says about one record.
type record struct {
	fields []string
	line   int
	bad    string // the reason, instead of fields
}

// readRecords reads a text to its end.
func readRecords(t testing.TB, text string) []record {
	t.Helper()
	r := newRecordReader(strings.NewReader(text))
	var all []record
	for {
		fields, line, err := r.next()
		var bad *RowError
		switch {
		case errors.Is(err, io.EOF):
			return all
		case errors.As(err, &bad):
			all = append(all, record{line: bad.Line, bad: bad.Reason})
		case err != nil:
			t.Fatalf("reading a string failed: %v", err)
		default:
			all = append(all, record{fields: append([]string(nil), fields...), line: line})
		}
	}
}

func TestRecords(t *testing.T) {
	ok := func(line int, fields ...string) record { return record{fields: fields, line: line} }
	bad := func(line int, reason error) record { return record{line: line, bad: reason.Error()} }
	for _, c := range []struct {
		name, text string
		want       []record
	}{
		{"plain", "a,b\nc,d\n", []record{ok(1, "a", "b"), ok(2, "c", "d")}},
		{"no line end at the end", "a,b", []record{ok(1, "a", "b")}},
		{"carriage returns", "a,b\r\nc\r\n", []record{ok(1, "a", "b"), ok(2, "c")}},
		{"empty lines", "\n\na\n\nb\n", []record{ok(3, "a"), ok(5, "b")}},
		{"empty fields", ",\n", []record{ok(1, "", "")}},
		{"comma in quotes", `a,"b,c",d`, []record{ok(1, "a", "b,c", "d")}},
		{"doubled quote", `"a ""b"" c",d`, []record{ok(1, `a "b" c`, "d")}},
		{"line end in quotes", "\"a\nb\",c\nd", []record{ok(1, "a\nb", "c"), ok(3, "d")}},
		{"bare quote", "a\"b\nc", []record{bad(1, errBareQuote), ok(2, "c")}},
		{"stray quote", "\"a\"b\nc", []record{bad(1, errStrayQuote), ok(2, "c")}},
		{"open quote at the end", "a\n\"b", []record{ok(1, "a"), bad(2, errOpenQuote)}},
		{
			"an open quote costs one row, not the rest of the file",
			"a,\"b\nc,d\ne,f\n", []record{bad(1, errOpenQuote), ok(2, "c", "d"), ok(3, "e", "f")},
		},
		{
			"an open quote before a quoted field",
			"a,\"b\nc,\"d,e\"\nf", []record{bad(1, errStrayQuote), ok(2, "c", "d,e"), ok(3, "f")},
		},
		{
			"a record of too many lines",
			"\"" + strings.Repeat("x\n", maxRecordLines+1) + "\"\n",
			append(append([]record{bad(1, errOpenQuote)}, repeated(2, maxRecordLines, "x")...), bad(maxRecordLines+2, errOpenQuote)),
		},
		{
			"a line that is too long",
			"a\n" + strings.Repeat("x", 3*maxLineBytes) + "\nb",
			[]record{ok(1, "a"), {line: 2, bad: fmt.Sprintf("longer than %d bytes", maxLineBytes)}, ok(3, "b")},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := readRecords(t, c.text); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func repeated(from, n int, field string) (all []record) {
	for i := range n {
		all = append(all, record{fields: []string{field}, line: from + i})
	}
	return all
}

// brokenAfter gives a text and then an error that is not the end of the file.
type brokenAfter struct {
	io.Reader
	err error
}

func (b *brokenAfter) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func TestBrokenFileIsNotAnEnd(t *testing.T) {
	broken := errors.New("the disk is on fire")
	for _, text := range []string{"", "a,b\n", "a,b\nhalf a l", "a,\"b\nc", strings.Repeat("x", 2*maxLineBytes)} {
		r := newRecordReader(&brokenAfter{strings.NewReader(text), broken})
		var err error
		var bad *RowError
		for n := 0; err == nil || errors.As(err, &bad); n++ {
			if _, _, err = r.next(); n > 10 {
				t.Fatalf("%.10q: no end", text)
			}
		}
		if !errors.Is(err, broken) {
			t.Errorf("%.10q: ended with %v, want %v", text, err, broken)
		}
	}
}

// FuzzRecords holds the reader against encoding/csv: the same records as far
// as that gets, and a complaint about the same text where that gives up.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "a,b\r\n\r\nc", "\"a\nb\",c\n", `"a""b",c`, "a\"b\nc\n", "\"a\"b\nc\n", "a,\"b\nc,d\n", "\"\"\"\n", "\r", "a\r", "\"a\r\nb\"",
		"\"\",\"\"\n", "a,\"", ",,,\n,", "\xff\x00,\"\x00\"",
		"536365,85123A,\"HEART, WHITE\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "\n") > maxRecordLines || len(text) > maxLineBytes/2 {
			t.Skip("within the limits that encoding/csv does not have")
		}
		got := readRecords(t, text)

		ref := csv.NewReader(strings.NewReader(text))
		ref.FieldsPerRecord = -1
		for i := 0; ; i++ {
			fields, err := ref.Read()
			if errors.Is(err, io.EOF) {
				if len(got) != i {
					t.Fatalf("%q: %d records, encoding/csv has %d: %v", text, len(got), i, got)
				}
				return
			}
			if i >= len(got) {
				t.Fatalf("%q: ends after %d records, encoding/csv goes on with %q, %v", text, i, fields, err)
			}
			if err != nil {
				var parse *csv.ParseError
				if !errors.As(err, &parse) || got[i].bad == "" || got[i].line != parse.StartLine {
					t.Fatalf("%q: record %d is %v, encoding/csv says %v", text, i, got[i], err)
				}
				break
			}
			line, _ := ref.FieldPos(0)
			if got[i].bad != "" || !reflect.DeepEqual(got[i].fields, fields) || got[i].line != line {
				t.Fatalf("%q: record %d is %v, encoding/csv has %q in line %d", text, i, got[i], fields, line)
			}
		}
		// Behind the first bad record there is no reference. But nothing is
		// skipped in silence: line numbers only grow.
		for i := 1; i < len(got); i++ {
			if got[i].line <= got[i-1].line {
				t.Fatalf("%q: line %d comes after line %d", text, got[i].line, got[i-1].line)
			}
		}
	})
}
