package itch

import (
	"bytes"
	"errors"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// day is a short stream.
func day() (frames [][]byte) {
	for _, m := range []Message{
		SystemEvent{'O'}.Message(Header{Time: 1}),
		AddOrder{Ref: 1, Side: Buy, Shares: 100, Stock: NewStock("A"), Price: 10}.Message(Header{Locate: 1, Time: 2}),
		Delete{1}.Message(Header{Locate: 1, Time: 2}),
		SystemEvent{'C'}.Message(Header{Time: 9}),
	} {
		frames = append(frames, m.AppendFrame(nil))
	}
	return frames
}

// readAll returns the types of what is read, and how it ended.
func readAll(in io.Reader, lenient bool) (types string, r *Reader, err error) {
	r = NewReader(in, lenient)
	var m Message
	for {
		if err := r.Next(&m); errors.Is(err, io.EOF) {
			return types, r, nil
		} else if err != nil {
			return types, r, err
		}
		types += string(m.Type())
	}
}

func TestStreamsAreReadWhateverTheirPieces(t *testing.T) {
	all := bytes.Join(day(), nil)
	for name, in := range map[string]io.Reader{
		"whole": bytes.NewReader(all), "bytes": iotest.OneByteReader(bytes.NewReader(all)), "data with EOF": iotest.DataErrReader(bytes.NewReader(all)),
		"with the mark of the end": bytes.NewReader(append(slices.Clip(all), 0, 0)),
	} {
		if types, r, err := readAll(in, false); types != "SADS" || err != nil || r.Offset() < int64(len(all)) {
			t.Errorf("%s: read %q, %v, offset %d", name, types, err, r.Offset())
		}
	}
}

func TestWhatIsWrongIsToldWithItsOffsetOrSkippedAndCounted(t *testing.T) {
	d := day()
	late := Delete{7}.Message(Header{Locate: 1, Time: 1})
	never := Delete{7}.Message(Header{Time: 24 * time.Hour})
	odd := AddOrder{Ref: 2, Side: 'X', Shares: 1, Price: 10}.Message(Header{Locate: 1, Time: 2})
	join := func(frames ...[]byte) string { return string(bytes.Join(frames, nil)) }
	at := len(d[0]) + len(d[1])
	for _, c := range []struct {
		name, in string
		strict   string // part of the error
		offset   int
		types    string // that a lenient reader gets
		skipped  Skipped
	}{
		{"unknown type", join(d[0], d[1], []byte("\x00\x03Zab"), d[2], d[3]), "type 'Z' is unknown (length 3)", at, "SADS", Skipped{Unknown: 1}},
		{"unprintable type", join(d[0], d[1], []byte("\x00\x01\x07"), d[2], d[3]), "type 0x07 is unknown", at, "SADS", Skipped{Unknown: 1}},
		{"too short", join(d[0], d[1], []byte("\x00\x03Dab"), d[2], d[3]), "'D' has 3 bytes, want 19", at, "SADS", Skipped{WrongSize: 1}},
		{"too long", join(d[0], d[1], []byte("\x00\x14D"), make([]byte, 19), d[2], d[3]), "'D' has 20 bytes, want 19", at, "SADS", Skipped{WrongSize: 1}},
		{"empty", join(d[0], d[1], []byte("\x00\x00"), d[2], d[3]), "length 0", at, "SADS", Skipped{WrongSize: 1}},
		{"out of order", join(d[0], d[1], late.AppendFrame(nil), d[2], d[3]), "'D' is of 1ns, the one before it of 2ns", at, "SADS", Skipped{OutOfOrder: 1}},
		{"no time of a day", join(d[0], d[1], never.AppendFrame(nil), d[2], d[3]), "'D' is of 24h0m0s, which is no time of a day", at, "SADS", Skipped{Damaged: 1}},
		{"no side", join(d[0], d[1], odd.AppendFrame(nil), d[2], d[3]), "'A' is for side 'X', want 'B' or 'S'", at, "SADS", Skipped{Damaged: 1}},
		{"ends in a message", join(d[0], d[1], d[2][:10]), "inside a message of type 'D', 8 of 19 bytes", at, "SA", Skipped{Truncated: 1}},
		{"ends in a length", join(d[0], d[1], d[2][:1]), "inside the length", at, "SA", Skipped{Truncated: 1}},
		{"ends behind a length", join(d[0], d[1], d[2][:2]), "inside the length of a message or behind it, 2 bytes", at, "SA", Skipped{Truncated: 1}},
		{"announces more than there is", "\xff\xffA", "of type 'A', 1 of 65535", 0, "", Skipped{Truncated: 1}},
	} {
		types, r, err := readAll(strings.NewReader(c.in), false)
		wrong, ok := errors.AsType[*FormatError](err)
		if !ok || wrong.Offset != int64(c.offset) || !strings.Contains(err.Error(), c.strict) || !strings.HasPrefix(err.Error(), "itch: at byte ") {
			t.Errorf("%s: error %v, want one at %d with %q", c.name, err, c.offset, c.strict)
		}
		if r.Skipped() != (Skipped{}) || !strings.HasPrefix(c.types, types) {
			t.Errorf("%s: a strict reader skipped %+v and read %q", c.name, r.Skipped(), types)
		}
		types, r, err = readAll(strings.NewReader(c.in), true)
		if err != nil || types != c.types || r.Skipped() != c.skipped || r.Offset() != int64(len(c.in)) {
			t.Errorf("%s: a lenient reader read %q up to %d of %d, skipped %+v, %v; want %q, %+v", c.name, types, r.Offset(), len(c.in), r.Skipped(), err, c.types, c.skipped)
		}
	}
}

func TestErrorsOfTheSourceAreNoEnd(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, lenient := range []bool{false, true} {
		_, _, err := readAll(io.MultiReader(bytes.NewReader(day()[0]), iotest.ErrReader(broken)), lenient)
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "at byte 14: cannot read on") {
			t.Errorf("lenient %t: %v", lenient, err)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	var all []byte
	for range 10_000 {
		for _, f := range day()[1:3] {
			all = append(all, f...)
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	in := bytes.NewReader(all)
	r := NewReader(in, false)
	var m Message
	var sum uint64
	got := testing.AllocsPerRun(5, func() {
		in.Reset(all)
		for r.Next(&m) == nil {
			if m.Type() == TypeAddOrder {
				sum += m.AddOrder().Ref
			}
		}
	})
	if got != 0 || sum != 6*10_000 {
		t.Errorf("%v allocations for 20,000 messages; sum %d", got, sum)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(bytes.Join(day(), nil), true)
	f.Add([]byte("\x00\x03Zab\x00\x00\x00"), true)
	f.Add(day()[1][:20], false)
	f.Fuzz(func(t *testing.T, data []byte, lenient bool) {
		r := NewReader(bytes.NewReader(data), lenient)
		var m Message
		var again []byte
		last, messages := time.Duration(0), 0
		for {
			before := r.Offset()
			err := r.Next(&m)
			if errors.Is(err, io.EOF) {
				break
			}
			if wrong, ok := errors.AsType[*FormatError](err); ok && !lenient && wrong.Offset == r.Offset() && wrong.Offset <= int64(len(data)) {
				return
			} else if err != nil {
				t.Fatalf("offset %d: %v", r.Offset(), err)
			}
			if r.Offset() <= before || m.Time() < last || Size(m.Type()) == 0 {
				t.Fatalf("%q of %v after %v, offset %d after %d", m.Type(), m.Time(), last, r.Offset(), before)
			}
			kinds[m.Type()].read(&m)
			last = m.Time()
			messages++
			again = m.AppendFrame(again)
		}
		if r.Offset() != int64(len(data)) {
			t.Fatalf("read %d of %d bytes", r.Offset(), len(data))
		}
		if r.Skipped().Total() == 0 && !bytes.Equal(again, bytes.TrimSuffix(data, []byte{0, 0})) && !bytes.Equal(again, data) {
			t.Fatalf("%d messages read as %q, want %q", messages, again, data)
		}
	})
}
