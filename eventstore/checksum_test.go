package eventstore_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"example.com/signals/eventstore"
)

func summed() eventstore.Recorded {
	return eventstore.Recorded{
		Event: eventstore.Event{
			ID: "id", Type: "type", Schema: 2, Stream: "stream", Tags: []string{"a", "bc"}, Data: []byte("data"),
			Meta: map[string]string{"k": "v", "l": "", "m": "w"}, Time: time.Unix(1, 2).UTC(),
		},
		Position: 7, Version: 3, Stored: time.Unix(3, 4).UTC(),
	}
}

// Stores keep it: another one would make damage of every event.
func TestAChecksumIsForEver(t *testing.T) {
	full, bare := summed(), eventstore.Recorded{Event: eventstore.Event{ID: "i", Type: "t", Schema: 1, Time: time.Unix(0, 0)}, Position: 1, Stored: time.Unix(0, 0)}
	for range 20 { // whatever the order of the map is
		if got := full.Checksum(); got != 0xb6854a41 {
			t.Fatalf("%#x", got)
		}
	}
	if got := bare.Checksum(); got != 0x5ad969fe {
		t.Errorf("%#x", got)
	}
}

func TestAChecksumIsOfEverythingInAnEvent(t *testing.T) {
	seen := map[uint32]string{}
	for name, change := range map[string]func(*eventstore.Recorded){
		"nothing":         func(*eventstore.Recorded) {},
		"id":              func(r *eventstore.Recorded) { r.ID = "ie" },
		"type":            func(r *eventstore.Recorded) { r.Type = "typf" },
		"id and type":     func(r *eventstore.Recorded) { r.ID, r.Type = "idt", "ype" },
		"schema":          func(r *eventstore.Recorded) { r.Schema = 3 },
		"stream":          func(r *eventstore.Recorded) { r.Stream = "" },
		"a tag":           func(r *eventstore.Recorded) { r.Tags[1] = "bd" },
		"cut of the tags": func(r *eventstore.Recorded) { r.Tags = []string{"ab", "c"} },
		"fewer tags":      func(r *eventstore.Recorded) { r.Tags = r.Tags[:1] },
		"data":            func(r *eventstore.Recorded) { r.Data[3] ^= 1 },
		"longer data":     func(r *eventstore.Recorded) { r.Data = append(r.Data, 0) },
		"no data":         func(r *eventstore.Recorded) { r.Data = nil },
		"meta":            func(r *eventstore.Recorded) { r.Meta["k"] = "w" },
		"values of meta":  func(r *eventstore.Recorded) { r.Meta["k"], r.Meta["m"] = "w", "v" },
		"no meta":         func(r *eventstore.Recorded) { r.Meta = nil },
		"time":            func(r *eventstore.Recorded) { r.Time = r.Time.Add(1) },
		"stored":          func(r *eventstore.Recorded) { r.Stored = r.Stored.Add(1) },
		"position":        func(r *eventstore.Recorded) { r.Position++ },
		"version":         func(r *eventstore.Recorded) { r.Version++ },
	} {
		r := summed()
		change(&r)
		if other, ok := seen[r.Checksum()]; ok {
			t.Errorf("%s has the checksum of %s", name, other)
		}
		seen[r.Checksum()] = name
	}
	a, b := summed(), summed()
	b.Time, b.Tags, b.Meta = b.Time.In(time.FixedZone("", 3600)), []string{"a", "bc"}, map[string]string{"m": "w", "l": "", "k": "v"}
	if a.Checksum() != b.Checksum() {
		t.Error("it depends on how the event is held in memory")
	}
}

// rotten gives events with a bit that has changed.
type rotten struct {
	eventstore.Backend
	eventstore.Checksums
	at map[eventstore.Position]func(*eventstore.Recorded)
}

func (b *rotten) Page(ctx context.Context, r eventstore.PageRequest) (eventstore.Page, error) {
	page, err := b.Backend.Page(ctx, r)
	for i := range page.Events {
		if change := b.at[page.Events[i].Position]; change != nil {
			change(&page.Events[i])
		}
	}
	return page, err
}

func TestCheckNamesWhatIsNotWhatWasStored(t *testing.T) {
	memory := eventstore.Memory()
	b := &rotten{memory, memory.(eventstore.Checksums), nil}
	store := eventstore.New(b, quiet)
	defer mustClose(t, store)
	for i := range 3000 { // several pages
		if _, err := store.Append(t.Context(), []eventstore.Event{{ID: fmt.Sprint("id-", i+1), Type: "a", Stream: "s", Data: []byte("1234")}}); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := store.Verify(t.Context()); err != nil || v != (eventstore.Verified{Events: 3000}) {
		t.Errorf("%+v, %v", v, err)
	}
	flip := func(r *eventstore.Recorded) { r.Data[2] ^= 4 }
	b.at = map[eventstore.Position]func(*eventstore.Recorded){1: flip, 1025: flip, 3000: flip}
	_, err := store.Verify(t.Context())
	if err == nil {
		t.Fatal("nobody saw it")
	}
	for p := range b.at {
		if want := fmt.Sprintf("position %d, event \"id-%d\" of stream \"s\": it is not what was stored", p, p); !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if n := strings.Count(err.Error(), "position"); n != 3 {
		t.Errorf("%d positions in %v", n, err)
	}
	if err := store.Check(t.Context()); err == nil {
		t.Error("Check sees nothing")
	}
}

func TestCheckSaysHowManyEventsHaveNoChecksum(t *testing.T) {
	var log bytes.Buffer
	store := eventstore.New(struct{ eventstore.Backend }{eventstore.Memory()}, eventstore.Logger(slog.New(slog.NewTextHandler(&log, nil))))
	defer mustClose(t, store)
	mustAppend(t, store, "a", "b")
	if v, err := store.Verify(t.Context()); err != nil || v != (eventstore.Verified{Events: 2, WithoutChecksum: 2}) {
		t.Errorf("%+v, %v", v, err)
	}
	if err := store.Check(t.Context()); err != nil || !strings.Contains(log.String(), "events without a checksum") || !strings.Contains(log.String(), "without=2") {
		t.Errorf("%v; logged %s", err, log.String())
	}
}

func BenchmarkChecksum(b *testing.B) {
	for name, change := range map[string]func(*eventstore.Recorded){
		"plain": func(r *eventstore.Recorded) { r.Tags, r.Meta = nil, nil },
		"tags":  func(r *eventstore.Recorded) { r.Meta = nil },
		"meta":  func(*eventstore.Recorded) {},
	} {
		b.Run(name, func(b *testing.B) {
			r := summed()
			r.ID, r.Data, r.Tags = "01920000-0000-7000-8000-000000000000", make([]byte, 120), []string{"customer:4711", "product:12", "region:3"}
			change(&r)
			b.ReportAllocs()
			for b.Loop() {
				r.Checksum()
			}
		})
	}
}
