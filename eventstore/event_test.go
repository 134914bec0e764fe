package eventstore_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"example.com/signals/eventstore"
)

func TestIDsAreTimeOrderedAndUnique(t *testing.T) {
	before := time.Now().UnixMilli()
	seen := map[string]bool{}
	last := ""
	for range 20 {
		events := make([]eventstore.Event, 1000)
		for i := range events {
			events[i].Type = "a"
		}
		b, err := eventstore.NewBatch(events)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events {
			if e.ID <= last || seen[e.ID] {
				t.Fatalf("id %s after %s", e.ID, last)
			}
			seen[e.ID], last = true, e.ID
			if e.ID[14] != '7' || !strings.ContainsRune("89ab", rune(e.ID[19])) {
				t.Fatalf("%s is no UUID of version 7", e.ID)
			}
		}
	}
	var ms int64
	for _, c := range strings.ReplaceAll(last[:13], "-", "") {
		ms = ms<<4 | int64(strings.IndexRune("0123456789abcdef", c))
	}
	if ms < before || ms > time.Now().UnixMilli()+1000 {
		t.Errorf("id %s was made at %v", last, time.UnixMilli(ms))
	}
}

func TestWhatIsWrongWithAnEventIsNamed(t *testing.T) {
	for want, e := range map[string]eventstore.Event{
		`event 1 of 1: event "x" has no Type`:    {ID: "x"},
		`Schema -2: want 1 to 2147483647`:        {Type: "a", Schema: -2},
		`Schema 2147483648: want`:                {Type: "a", Schema: math.MaxInt32 + 1},
		`ID "\xff": want UTF-8 without NUL`:      {ID: "\xff", Type: "a"},
		`Stream "a\x00": want UTF-8 without NUL`: {Type: "a", Stream: "a\x00"},
		`a tag is empty`:                         {Type: "a", Tags: []string{"a", ""}},
		`tag "` + strings.Repeat("t", 40) + `"... has 1025 bytes: want at most 1024`: {Type: "a", Tags: []string{strings.Repeat("t", 1025)}},
		`Meta key "\xff": want UTF-8`:                            {Type: "a", Meta: map[string]string{"\xff": ""}},
		`Meta value of k "\xff": want UTF-8`:                     {Type: "a", Meta: map[string]string{"k": "\xff"}},
		`Time 2300-01-01 00:00:00 +0000 UTC: want one that fits`: {Type: "a", Time: time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if _, err := eventstore.NewBatch([]eventstore.Event{e}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q", err, want)
		}
	}
}

func TestTimesAreKeptToTheNanosecond(t *testing.T) {
	for _, at := range []time.Time{time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64), time.Unix(1, 1), time.Now()} {
		b, err := eventstore.NewBatch([]eventstore.Event{{Type: "a", Time: at}})
		if err != nil || !b.Events[0].Time.Equal(at) || b.Events[0].Time.Location() != time.UTC {
			t.Errorf("%v: %v, %v", at, b, err)
		}
	}
}
