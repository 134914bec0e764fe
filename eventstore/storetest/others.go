package storetest

import (
	"bytes"
	"sync"
	"time"

	"example.com/signals/eventstore"
)

var snapshotCases = []testCase{
	{"TheLastOfANameAndVersionIsKept", func(h *harness) {
		b := able[eventstore.Snapshots](h)
		snapshot := func(name string, version int, p eventstore.Position) eventstore.Snapshot {
			return eventstore.Snapshot{
				Name: name, Version: version, Position: p, Identity: "i", EventID: "e",
				Data: []byte("\x00state\xff"), Sum: []byte{1, 0, 255}, Taken: time.Unix(3, 3).UTC(),
			}
		}
		_, ok, err := b.LoadSnapshot(h.ctx, "m", 1)
		h.check(!ok && err == nil, "a snapshot of an empty store, %v", err)
		loads := func(want eventstore.Snapshot) {
			h.Helper()
			got, ok, err := b.LoadSnapshot(h.ctx, want.Name, want.Version)
			h.check(ok && err == nil, "no snapshot %q, %v", want.Name, err)
			equal(h, "snapshot", got, want)
		}
		for _, s := range []eventstore.Snapshot{snapshot("m", 1, 10), snapshot("m", 2, 5), snapshot("n", 1, 7), snapshot("m", 1, 9)} {
			h.ok(b.SaveSnapshot(h.ctx, s))
		}
		loads(snapshot("m", 1, 10))
		loads(snapshot("m", 2, 5))
		newer := snapshot("m", 1, 10)
		newer.Data, newer.EventID = nil, "f"
		h.ok(b.SaveSnapshot(h.ctx, newer))
		loads(newer)
		h.ok(b.DropSnapshots(h.ctx, "m"))
		_, ok, err = b.LoadSnapshot(h.ctx, "m", 2)
		h.check(!ok && err == nil, "a dropped snapshot, %v", err)
		loads(snapshot("n", 1, 7))
		h.ok(b.DropSnapshots(h.ctx, ""))
		_, ok, err = b.LoadSnapshot(h.ctx, "n", 1)
		h.check(!ok && err == nil, "a dropped snapshot, %v", err)
	}},
	{"TheMarkOfTheStoreIsKeptUntilAllAreDropped", func(h *harness) {
		b := able[eventstore.Snapshots](h)
		// As Load and Decide save it: of no position, and with nothing in it.
		const name = "eventstore: none forgotten since"
		mark := eventstore.Snapshot{Name: name, Version: 1, EventID: "first", Taken: time.Unix(3, 3).UTC()}
		for _, id := range []string{"first", "second"} {
			mark.EventID = id
			h.ok(b.SaveSnapshot(h.ctx, mark))
			h.ok(b.DropSnapshots(h.ctx, "another"))
			got, ok, err := b.LoadSnapshot(h.ctx, name, 1)
			h.check(ok && err == nil, "no mark, %v", err)
			equal(h, "mark", got, mark)
		}
		h.ok(b.DropSnapshots(h.ctx, ""))
		_, ok, err := b.LoadSnapshot(h.ctx, name, 1)
		h.check(!ok && err == nil, "a dropped mark, %v", err)
	}},
}

var keyCases = []testCase{
	{"ASubjectHasOneKeyUntilItIsForgotten", func(h *harness) {
		b := able[eventstore.KeyStore](h)
		ids := make([]string, 8)
		var group sync.WaitGroup
		for i := range ids {
			group.Go(func() { ids[i], _, _ = b.SubjectKey(h.ctx, "customer 7") })
		}
		group.Wait()
		id, key, err := b.SubjectKey(h.ctx, "customer 7")
		h.ok(err)
		for _, other := range ids {
			equal(h, "id", other, id)
		}
		equal(h, "bytes", len(key), 32)
		equal(h, "by id", must(b.KeyByID(h.ctx, id)), key)
		otherID, other, err := b.SubjectKey(h.ctx, "customer 8")
		h.check(err == nil && otherID != id && !bytes.Equal(other, key), "two subjects with one key, %v", err)

		h.ok(b.ForgetSubject(h.ctx, "customer 7"))
		h.ok(b.ForgetSubject(h.ctx, "nobody"))
		_, err = b.KeyByID(h.ctx, id)
		h.is(err, eventstore.ErrErased)
		_, err = b.KeyByID(h.ctx, "no such id")
		h.is(err, eventstore.ErrErased)
		equal(h, "of the other", must(b.KeyByID(h.ctx, otherID)), other)
		again, fresh, err := b.SubjectKey(h.ctx, "customer 7")
		h.check(err == nil && again != id && !bytes.Equal(fresh, key), "the old key came back, %v", err)
	}},
}

var importCases = []testCase{
	{"AHistoryIsTakenOverAsItIs", func(h *harness) {
		b := able[eventstore.Importer](h)
		source := eventstore.New(eventstore.Memory())
		var all []eventstore.Recorded
		for _, e := range events(60) {
			e.Meta = map[string]string{"k": "v"}
			all = append(all, must(source.Append(h.ctx, []eventstore.Event{e}))...)
		}
		h.ok(b.Import(h.ctx, "history", all[:20]))
		equal(h, "identity", must(h.backend.Identity(h.ctx)), "history")
		h.ok(b.Import(h.ctx, "history", all[20:50]))
		for what, err := range map[string]error{
			"another history": b.Import(h.ctx, "other", all[50:]),
			"a gap":           b.Import(h.ctx, "history", all[51:]),
			"a repetition":    b.Import(h.ctx, "history", all[49:]),
			"a taken id":      b.Import(h.ctx, "history", changed(all[50:], func(r *eventstore.Recorded) { r.ID = all[3].ID })),
			"an id twice":     b.Import(h.ctx, "history", changed(all[50:], func(r *eventstore.Recorded) { r.ID = all[50].ID })),
			"a wrong version": b.Import(h.ctx, "history", changed(all[50:], func(r *eventstore.Recorded) { r.Version++ })),
		} {
			h.check(err != nil, "%s was accepted", what)
		}
		equal(h, "events", h.all(eventstore.All()), all[:50])
		f := h.follow(eventstore.All(), 50)
		h.ok(b.Import(h.ctx, "history", all[50:]))
		equal(h, "followed", f.next(), all[50])
		f.end()
		equal(h, "events", h.all(eventstore.All()), all)
		equal(h, "of a stream", h.all(eventstore.OfStream("s3")), matching(all, eventstore.OfStream("s3")))
		next := h.append(event("a", "s3"))[0]
		equal(h, "next", []uint64{uint64(next.Position), next.Version}, []uint64{61, all[59].Version + 1})
	}},
}

// changed returns a copy of events with the last one changed.
func changed(events []eventstore.Recorded, change func(*eventstore.Recorded)) []eventstore.Recorded {
	events = append([]eventstore.Recorded(nil), events...)
	change(&events[len(events)-1])
	return events
}

var checkCases = []testCase{
	{"AllIsWell", func(h *harness) {
		b := able[eventstore.Checker](h)
		h.ok(b.Check(h.ctx))
		h.fill(200)
		h.ok(b.Check(h.ctx))
	}},
}
