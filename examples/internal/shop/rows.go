package shop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"example.com/signals/examples/internal/english"
)

// columns of the UCI "Online Retail" file, in their order.
var columns = []string{
	"InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
}

// Row is one invoice line of the file.
type Row struct {
	Line     int // where it is in the file
	Invoice  string
	Item     Line
	Time     time.Time
	Customer string // empty for 135,080 rows of the real file
	Country  string
}

// RowReader reads the file row by row.
type RowReader struct {
	records *recordReader

	// The last date seen: all rows of an invoice have the same.
	dateText string
	date     time.Time
}

// byteOrderMark is what spreadsheets write in front of everything, a quote too.
const byteOrderMark = "\ufeff"

// NewRowReader reads the header and returns an error if it is not the one of
// this file.
func NewRowReader(in io.Reader) (*RowReader, error) {
	r := &RowReader{records: newRecordReader(in)}
	if mark, _ := r.records.in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark { // an error comes again
		_, _ = r.records.in.Discard(len(byteOrderMark))
	}
	begins, _ := r.records.in.Peek(shownOfHeader)
	begins = bytes.Clone(begins)
	header, _, err := r.records.next()
	var bad *RowError
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty")
	case errors.As(err, &bad):
		return nil, notRetail(begins, bad.Reason)
	case err != nil:
		return nil, err
	}
	if len(header) != len(columns) {
		return nil, notRetail(begins, english.Plural(len(header), "column"))
	}
	for i, want := range columns {
		if header[i] != want {
			return nil, notRetail(begins, fmt.Sprintf("column %d is not %s", i+1, want))
		}
	}
	return r, nil
}

// shownOfHeader is how many bytes an error shows of what should be the header.
const shownOfHeader = 60

// notRetail says what a file is that is not the one to be read, and which that is.
func notRetail(begins []byte, why string) error {
	line, _, _ := bytes.Cut(begins, []byte("\n"))
	is := fmt.Sprintf("it begins with %q", strings.ToValidUTF8(strings.TrimSpace(string(line)), "\ufffd"))
	switch {
	case bytes.HasPrefix(begins, []byte("PK\x03\x04")):
		is = "it is a spreadsheet, or another ZIP file: save the sheet as CSV"
	case bytes.ContainsFunc(begins, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }):
		is = "it is no text"
	default:
		is += " (" + why + ")"
	}
	return fmt.Errorf("no Online Retail file: %s; want CSV, plain or gzip, whose first line is %s", is, strings.Join(columns, ","))
}

// Next returns the next row. A *RowError means that this row is malformed and
// that the next call goes on behind it; io.EOF is the end of the file, and any
// other error means that the rest cannot be read.
func (r *RowReader) Next() (Row, error) {
	f, line, err := r.records.next()
	if err != nil {
		return Row{}, err
	}
	row, err := r.parse(f)
	if err != nil {
		return Row{}, &RowError{Line: line, Reason: err.Error()}
	}
	row.Line = line
	return row, nil
}

// parse rejects only what has no meaning. Odd values, such as a price below
// zero, are the books' business.
func (r *RowReader) parse(f []string) (Row, error) {
	if len(f) != len(columns) {
		return Row{}, fmt.Errorf("%s, want %d", english.Plural(len(f), "field"), len(columns))
	}
	row := Row{
		Invoice: strings.TrimSpace(f[0]),
		Item:    Line{Code: strings.TrimSpace(f[1]), Description: strings.TrimSpace(f[2])},
		// 17850.0: the identifiers have been through a table of floats.
		Customer: strings.TrimSuffix(strings.TrimSpace(f[6]), ".0"),
		Country:  strings.TrimSpace(f[7]),
	}
	if row.Invoice == "" {
		return Row{}, errors.New("InvoiceNo is empty")
	}
	if row.Item.Code == "" {
		return Row{}, errors.New("StockCode is empty")
	}
	var err error
	// 32 bits: more pieces than that on a line is no quantity, and the sum of
	// all lines stays far from the limits of int64.
	if row.Item.Quantity, err = strconv.ParseInt(strings.TrimSpace(f[3]), 10, 32); err != nil {
		return Row{}, fmt.Errorf("Quantity %.40q is not a whole number", f[3]) //nolint:staticcheck // the name of the column
	}
	if row.Item.Price, err = ParseMoney(strings.TrimSpace(f[5])); err != nil {
		return Row{}, fmt.Errorf("UnitPrice %.40q is not a number", f[5])
	}
	if row.Time, err = r.parseDate(strings.TrimSpace(f[4])); err != nil {
		return Row{}, fmt.Errorf("InvoiceDate %.40q is not a date such as 2010-12-01 08:26:00", f[4])
	}
	return row, nil
}

func (r *RowReader) parseDate(text string) (time.Time, error) {
	if text != r.dateText || text == "" {
		date, err := time.Parse(time.DateTime, text)
		if err != nil {
			return time.Time{}, err
		}
		r.dateText, r.date = text, date
	}
	return r.date, nil
}
