package storetest

import (
	"bytes"

	"example.com/signals/eventstore"
)

// checksumCases are what a backend keeps to find out damage: its own tests have to
// show that Check sees a byte that has changed.
var checksumCases = []testCase{
	{"EveryEventHasItsOwn", func(h *harness) {
		able[eventstore.Checksums](h)
		h.append(odd()...)
		h.fill(120)
		h.append(eventstore.Event{Type: "big", Data: bytes.Repeat([]byte{7}, 1<<20)})
		h.summed()
	}},
	{"ImportedEventsHaveTheirs", func(h *harness) {
		able[eventstore.Checksums](h)
		able[eventstore.Importer](h)
		_, file := h.another(append(odd(), events(50)...)...)
		must(h.store.Import(h.ctx, bytes.NewReader(file)))
		h.append(events(3)...)
		h.summed()
	}},
}

// summed checks that the checksum of every event is there, and right.
func (h *harness) summed() {
	h.Helper()
	b := able[eventstore.Checksums](h)
	all := h.all(eventstore.All())
	var got []eventstore.Checksum
	for after := eventstore.Position(0); ; after += 50 {
		page := must(b.ChecksumsAfter(h.ctx, after, 50))
		h.check(len(page) <= 50, "%d of 50", len(page))
		if got = append(got, page...); len(page) == 0 {
			break
		}
	}
	equal(h, "number", len(got), len(all))
	for i := range all {
		equal(h, "checksum of "+all[i].ID, got[i], eventstore.Checksum{Sum: all[i].Checksum(), Known: true})
	}
	equal(h, "beyond the head", len(must(b.ChecksumsAfter(h.ctx, h.head()+7, 5))), 0)
	v, err := h.store.Verify(h.ctx)
	h.ok(err)
	equal(h, "verified", v, eventstore.Verified{Events: uint64(len(all))})
}
