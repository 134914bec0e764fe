package eventstore_test

import (
	"reflect"
	"testing"
	"unicode/utf8"

	"example.com/signals/eventstore"
)

// fuzzed is a value of many kinds.
type fuzzed struct {
	Text  string
	Bytes []byte
	N     int64
	F     float64
	M     map[string]int
	L     []string
}

// What a codec has written, it reads as the same value; and whatever else
// it is given is a value or an error.
func FuzzCodecs(f *testing.F) {
	keys := wrap()
	codecs := map[string]eventstore.Codec{
		"JSON":      eventstore.JSON(),
		"encrypted": eventstore.Encrypted(eventstore.JSON(), keys, func(any) string { return "subject" }),
	}
	f.Add("text", []byte("\x00\xff"), int64(-1), 1.5, []byte(`{"Text":"x"}`))
	f.Add("", []byte{}, int64(0), 0.0, []byte{1, 2, 'i', 'd', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, text string, bytes []byte, n int64, x float64, data []byte) {
		in := fuzzed{text, bytes, n, x, map[string]int{text: 1, "b": 2}, []string{text}}
		for name, c := range codecs {
			var other fuzzed
			if err := c.Decode(t.Context(), data, &other); err == nil && name == "encrypted" {
				t.Errorf("%q was decrypted", data)
			}
			first, err := c.Encode(t.Context(), in)
			if err != nil {
				if x == x && x-x == 0 { // JSON has neither NaN nor infinities
					t.Error(err)
				}
				continue
			}
			again, err := c.Encode(t.Context(), in)
			if err != nil || string(again) != string(first) {
				t.Errorf("%s: %q and %q, %v", name, first, again, err)
			}
			var out fuzzed
			if err := c.Decode(t.Context(), first, &out); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if out.Bytes == nil {
				out.Bytes = in.Bytes[:0]
			}
			if in.Bytes == nil {
				in.Bytes, out.Bytes = nil, out.Bytes[:0:0]
			}
			if utf8.ValidString(text) && len(in.Bytes) > 0 && !reflect.DeepEqual(out, in) {
				t.Errorf("%s: %+v; want %+v", name, out, in)
			}
		}
	})
}

// Whatever stands in a store, of whatever name and version, is decoded or is an
// error that names it; it neither panics nor gets lost.
func FuzzUpcasts(f *testing.F) {
	r := shopTypes()
	p := priceTypes()
	for _, seed := range []struct {
		name   string
		schema int
		data   string
	}{{"placed", 1, `{"ID":"1","Paid":true}`}, {"bought", 2, `{"ID":"1"}`}, {"paid", 1, `{}`}, {"price", 1, `{"Euros":1e300}`}, {"cost", -1, `null`}} {
		f.Add(seed.name, seed.schema, []byte(seed.data))
	}
	f.Fuzz(func(t *testing.T, name string, schema int, data []byte) {
		e := eventstore.Recorded{Position: 1, Event: eventstore.Event{Type: name, Schema: schema, Data: data}}
		for _, r := range []*eventstore.Registry{r, p} {
			values, err := r.Decode(t.Context(), e)
			if (err == nil) != (len(values) > 0) {
				t.Errorf("values %v, error %v", values, err)
			}
			for _, v := range values {
				// What is read can be stored again, and is then what it is now.
				again, err := r.Encode(t.Context(), eventstore.Draft{Value: v})
				if err != nil {
					t.Fatal(err)
				}
				back, err := r.Decode(t.Context(), eventstore.Recorded{Event: again})
				if err != nil || len(back) != 1 || !reflect.DeepEqual(back[0], v) {
					t.Errorf("%v came back as %v, %v", v, back, err)
				}
			}
		}
	})
}

// A query, expanded or not, matches what its text and its items say, and never
// less when expanded.
func FuzzQueries(f *testing.F) {
	f.Add("s", "placed", "t", "u", "bought", "s", "t")
	f.Add("", "", "", "", "paid", "", "")
	f.Fuzz(func(t *testing.T, stream, kind, tag1, tag2, ofType, ofStream, ofTag string) {
		item := eventstore.Item{Stream: stream}
		if kind != "" {
			item.Types = []string{kind, "paid"}
		}
		if tag1 != "" {
			item.Tags = append(item.Tags, tag1)
		}
		if tag2 != "" {
			item.Tags = append(item.Tags, tag2, tag2)
		}
		q := eventstore.Match(item)
		e := eventstore.Event{Type: ofType, Stream: ofStream, Tags: []string{ofTag, tag1}}
		want := q.Err() == nil &&
			(stream == "" || stream == ofStream) &&
			(kind == "" || kind == ofType || ofType == "paid") &&
			(tag1 == "" || tag1 == ofTag || tag1 == e.Tags[1]) &&
			(tag2 == "" || tag2 == ofTag || tag2 == tag1)
		if q.Err() == nil && q.Matches(&e) != want {
			t.Errorf("%s matches %+v: %v", q, e, !want)
		}
		wide := shopTypes().Expand(q)
		if (wide.Err() == nil) != (q.Err() == nil) || want && !wide.Matches(&e) {
			t.Errorf("%s became %s, %v", q, wide, wide.Err())
		}
		_, err := eventstore.New(eventstore.Memory()).Append(t.Context(), one("x"), eventstore.ExpectNone(q, 0))
		if (err == nil) != (q.Err() == nil) {
			t.Errorf("%s: %v, append under it: %v", q, q.Err(), err)
		}
	})
}
