package heavy

import (
	"fmt"
	"slices"

	"example.com/signals/eventstore"
	"pgregory.net/rapid"
)

// The names that events and queries share: few, so that they meet.
var (
	types   = []string{"A", "B", "C"}
	streams = []string{"", "s0", "s1", "s2"}
	tags    = []string{"t0", "t1", "t2", "t3"}
)

// drawEvent draws an event as it is stored, with that id.
func drawEvent(t *rapid.T, id string) eventstore.Event {
	e := eventstore.Event{
		ID:     id,
		Type:   rapid.SampledFrom(types).Draw(t, "type"),
		Schema: 1,
		Stream: rapid.SampledFrom(streams).Draw(t, "stream"),
		Tags:   drawSome(t, tags, 0, "tags"),
		Data:   []byte(rapid.SampledFrom([]string{"", "x", "\x00\xff"}).Draw(t, "data")),
	}
	return e.Clone()
}

// drawSome draws at least that many of the names, sorted.
func drawSome(t *rapid.T, names []string, least int, label string) []string {
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(names), least, len(names), rapid.ID[string]).Draw(t, label)
	slices.Sort(some)
	return some
}

func drawQuery(t *rapid.T) eventstore.Query {
	n := rapid.IntRange(0, 3).Draw(t, "items")
	if n == 0 {
		return eventstore.All()
	}
	items := make([]eventstore.Item, n)
	for i := range items {
		items[i] = eventstore.Item{
			Stream: rapid.SampledFrom(streams).Draw(t, "stream"),
			Types:  drawSome(t, types, 0, "types"),
			Tags:   drawSome(t, tags, 0, "tags"),
		}
		if items[i].Stream == "" && len(items[i].Types)+len(items[i].Tags) == 0 {
			items[i].Stream = "s0"
		}
	}
	return eventstore.Match(items...)
}

// drawCondition draws a condition that holds or nearly does.
func drawCondition(t *rapid.T, h history) eventstore.Condition {
	stream := rapid.SampledFrom(streams[1:]).Draw(t, "stream")
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		return eventstore.ExpectVersion(stream, h.version(stream)+rapid.SampledFrom([]uint64{0, 0, 0, 1}).Draw(t, "off"))
	case 1:
		return eventstore.ExpectStream(stream)
	}
	back := rapid.IntRange(0, 4).Draw(t, "back")
	return eventstore.ExpectNone(drawQuery(t), eventstore.Position(max(0, len(h)-back)))
}

// drawBatch draws a batch that is new, or stored, or a part of either, or
// something else under a stored id.
func drawBatch(t *rapid.T, h history, next func() string) (batch []eventstore.Event) {
	for range rapid.IntRange(1, 3).Draw(t, "new") {
		batch = append(batch, drawEvent(t, next()))
	}
	if len(h) == 0 || rapid.IntRange(0, 3).Draw(t, "again") > 0 {
		return batch
	}
	if rapid.Bool().Draw(t, "only stored") {
		batch = nil
	}
	from := rapid.IntRange(0, len(h)-1).Draw(t, "from")
	for _, r := range h[from:min(from+2, len(h))] {
		batch = append(batch, r.Event)
	}
	if rapid.IntRange(0, 3).Draw(t, "changed") == 0 {
		batch[len(batch)-1] = drawEvent(t, batch[len(batch)-1].ID)
	}
	return batch
}

func counter(prefix string) func() string {
	n := 0
	return func() string {
		n++
		return fmt.Sprint(prefix, n)
	}
}
