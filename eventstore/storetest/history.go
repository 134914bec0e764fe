package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"example.com/signals/eventstore"
)

// historyCases are how a checkpoint is found to be of another history: of a store
// that an older copy has taken the place of, or another store.
var historyCases = []testCase{
	{"AMoveSaysOfWhichHistoryItIs", func(h *harness) {
		b := able[eventstore.Checkpoints](h)
		h.append(events(9)...)
		must(b.OpenKey(h.ctx, "k", 2))
		mark := func() []string {
			c := must(b.Keys(h.ctx, "k"))[0]
			opened := must(b.OpenKey(h.ctx, "k", 0))
			equal(h, "opened", []string{opened.Identity, opened.EventID}, []string{c.Identity, c.EventID})
			return []string{c.Identity, c.EventID}
		}
		equal(h, "of a new key", mark(), []string{"", ""})
		odd := strings.Repeat("ü", eventstore.MaxName/2)
		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 2, To: 3, Identity: "of", EventID: odd}, nil))
		equal(h, "of a move", mark(), []string{"of", odd})
		h.is(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 2, To: 3, Identity: "of", EventID: "no"}, nil), eventstore.ErrMoved)
		equal(h, "after a refusal", mark(), []string{"of", odd})
		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 3, To: 3, Identity: "of", EventID: "other"}, nil))
		equal(h, "in place", mark(), []string{"of", "other"})
		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 3, To: 4}, nil))
		equal(h, "of a move that does not say it", mark(), []string{"", ""})
	}},
	{"ACheckpointSaysOfWhichHistoryItIs", func(h *harness) {
		h.keeps()
		able[eventstore.Importer](h)
		early := h.listen(h.store, "early", eventstore.All()) // before the store gets its identity
		some := h.listen(h.store, "some", eventstore.Match(eventstore.Item{Types: []string{"A"}}))
		none := h.listen(h.store, "none", eventstore.Match(eventstore.Item{Types: []string{"no such"}}))
		source, file := h.another(events(100)...)
		must(h.store.Import(h.ctx, bytes.NewReader(file)))
		must(able[eventstore.Checkpoints](h).OpenKey(h.ctx, "old", 4)) // as a program that knew nothing of it left it
		head := h.listen(h.store, "head", eventstore.All(), eventstore.FromHead())
		old := h.listen(h.store, "old", eventstore.Match(eventstore.Item{Types: []string{"no such"}}))
		h.until("new keys say it before there is anything to do", func() bool { return h.says("head") && h.says("old") })
		all := []*listener{early, some, none, head, old}
		for range 3 {
			h.append(events(5)...)
			for i, l := range all {
				h.ok(h.store.Wait(h.ctx, l.Key(), h.head()))
				h.stop(l)
				h.check(h.says(l.Key()), "the checkpoint of %q does not say where it is: %+v", l.Key(), must(h.store.Checkpoints(h.ctx, l.Key())))
				all[i] = h.listen(h.store, l.Key(), eventstore.Match(eventstore.Item{Types: []string{"B"}}))
			}
		}
		equal(h, "identity", must(h.store.Checkpoints(h.ctx, "early"))[0].Identity, must(source.Identity(h.ctx)))
		h.ok(h.store.Check(h.ctx))
	}},
	// The silent one: the older copy has been appended to until the head has passed
	// the checkpoint, and nobody listened meanwhile.
	{"AnotherHistoryUnderACheckpointIsNoticed", func(h *harness) {
		h.keeps()
		able[eventstore.Importer](h)
		source, file := h.another(events(8)...)
		h.older(file, 5)
		h.append(events(10)...) // 6 to 15, other ones
		c := h.carry(source, "k")
		want := eventstore.HistoryError{
			Key: "k", Position: 8, Identity: must(source.Identity(h.ctx)), EventID: c.EventID,
			Head: 15, FoundIdentity: must(h.store.Identity(h.ctx)), FoundID: h.all(eventstore.All())[7].ID,
		}
		h.check(want.EventID != want.FoundID && want.Identity == want.FoundIdentity, "the history is the same: %+v", want)
		noticed := func() {
			h.Helper()
			other := eventstore.New(h.backend)
			equal(h, "Wait, with nobody listening", foreign(h, other.Wait(h.ctx, "k", 7)), want)
			h.ok(other.Close(h.ctx))
			l := h.listenTo(h.store, "k", eventstore.All(), mustNot(h))
			await(h, "the end of the listener", l.Done())
			equal(h, "Err", foreign(h, l.Err()), want)
			for _, part := range []string{`"k"`, " 8", want.EventID, want.FoundID, "delete the checkpoint", "new key", "older copy"} {
				h.check(strings.Contains(l.Err().Error(), part), "error %v does not say %q", l.Err(), part)
			}
			equal(h, "Wait", foreign(h, h.store.Wait(h.ctx, "k", 8)), want)
			h.check(h.store.Wait(h.ctx, "k", 9) != nil, "Wait for what comes behind")
			equal(h, "Check", foreign(h, h.store.Check(h.ctx)), want)
			equal(h, "checkpoint", must(h.store.Checkpoints(h.ctx, "k"))[0].Stopped, l.Err().Error())
		}
		noticed()
		noticed()
		_, err := h.store.Listen("k2", eventstore.All(), nothing, eventstore.RebuildOf("k"))
		h.ok(err)
		h.until("one that rebuilds ends too", func() bool { return h.store.Wait(h.ctx, "k2", 1) != nil })
		equal(h, "of the old key", foreign(h, h.store.Wait(h.ctx, "k2", 1)).Key, "k")
		h.ok(h.store.DeleteCheckpoint(h.ctx, "k"))
		anew := h.listen(h.store, "k", eventstore.All())
		h.ok(h.store.Wait(h.ctx, "k", 15))
		equal(h, "events", anew.seen(), h.all(eventstore.All()))
		h.ok(h.store.DeleteCheckpoint(h.ctx, "k2"))
		h.ok(h.store.Check(h.ctx))
	}},
	// A listener that stands by, or has only just begun, knows where the key was, and not
	// whether that is here.
	{"WaitNoticesItBeforeTheListenerDoes", func(h *harness) {
		h.keeps()
		able[eventstore.Importer](h)
		source, file := h.another(events(8)...)
		h.older(file, 5)
		h.append(events(10)...)
		h.carry(source, "k")
		lease := must(able[eventstore.Leaser](h).Lease(h.ctx, "k"))
		l := h.listenTo(h.store, "k", eventstore.All(), mustNot(h))
		equal(h, "Wait", foreign(h, h.store.Wait(h.ctx, "k", 7)).Position, 8)
		lease.Release()
		await(h, "the end of the listener", l.Done())
	}},
	{"AnotherStoreWithTheSameIDsIsNoticed", func(h *harness) {
		h.keeps()
		named := events(3)
		for i := range named {
			named[i].ID = string(rune('a' + i))
		}
		source, _ := h.another(named...)
		h.append(named...)
		h.carry(source, "k")
		l := h.listenTo(h.store, "k", eventstore.All(), mustNot(h))
		await(h, "the end of the listener", l.Done())
		err := foreign(h, l.Err())
		h.check(err.EventID == "c" && err.FoundID == "c" && err.Identity != err.FoundIdentity, "error %+v", err)
	}},
	// And when the right copy is put back, it goes on as if nothing had been.
	{"TheRightHistoryIsRecognizedAgain", func(h *harness) {
		h.keeps()
		able[eventstore.Importer](h)
		source, file := h.another(events(8)...)
		h.older(file, 5)
		h.carry(source, "k")
		for range 2 {
			l := h.listenTo(h.store, "k", eventstore.All(), mustNot(h))
			await(h, "the end of the listener", l.Done())
			err := foreign(h, l.Err())
			h.check(err.Position == 8 && err.Head == 5 && err.FoundID == "" && strings.Contains(err.Error(), "last event at 5"), "error %v", err)
			equal(h, "Check", strings.Contains(h.store.Check(h.ctx).Error(), `"k" is at 8`), true)
		}
		must(h.store.Import(h.ctx, bytes.NewReader(file)))
		h.ok(h.store.Wait(h.ctx, "k", 8))
		l := h.listen(h.store, "k", eventstore.All())
		h.append(events(3)...)
		h.ok(h.store.Wait(h.ctx, "k", 11))
		equal(h, "goes on", positions(l.seen()), []eventstore.Position{9, 10, 11})
		h.until("nothing is left of it", func() bool { return h.says("k") })
		h.ok(h.store.Check(h.ctx))
	}},
	// A checkpoint that does not say it, beyond the head, cannot be told later from one
	// that is right: that it was found out stays.
	{"ACheckpointThatDoesNotSayItStaysFoundOut", func(h *harness) {
		h.keeps()
		h.append(events(5)...)
		must(able[eventstore.Checkpoints](h).OpenKey(h.ctx, "k", 8))
		for range 2 {
			l := h.listenTo(h.store, "k", eventstore.All(), mustNot(h))
			await(h, "the end of the listener", l.Done())
			h.check(strings.Contains(l.Err().Error(), "older copy"), "error %v", l.Err())
			h.append(events(5)...) // beyond it
			h.check(h.store.Wait(h.ctx, "k", 1) != nil && h.store.Check(h.ctx) != nil, "Wait and Check do not see it")
		}
		h.ok(h.store.DeleteCheckpoint(h.ctx, "k"))
		h.listen(h.store, "k", eventstore.All())
		h.ok(h.store.Wait(h.ctx, "k", 15))
	}},
}

// another returns a store in memory with these events, a listener of which, with the
// key "k", has done them all, and what it exports.
func (h *harness) another(all ...eventstore.Event) (*eventstore.Store, []byte) {
	h.Helper()
	source := eventstore.New(eventstore.Memory())
	must(source.Append(h.ctx, all))
	l := h.listen(source, "k", eventstore.All())
	h.ok(source.Wait(h.ctx, "k", eventstore.Position(len(all))))
	h.stop(l)
	var file bytes.Buffer
	must(source.Export(h.ctx, &file, 0))
	return source, file.Bytes()
}

// older makes an older copy of the store: the first n events of its export.
func (h *harness) older(file []byte, n int) {
	h.Helper()
	lines := bytes.SplitAfter(file, []byte("\n"))
	must(h.store.Import(h.ctx, bytes.NewReader(bytes.Join(lines[:n+1], nil))))
}

// carry takes a checkpoint over as it is.
func (h *harness) carry(from *eventstore.Store, key string) eventstore.Checkpoint {
	h.Helper()
	b := able[eventstore.Checkpoints](h)
	c := must(from.Checkpoints(h.ctx, key))[0]
	h.check(c.EventID != "" && c.Identity != "", "it does not say of which history it is: %+v", c)
	must(b.OpenKey(h.ctx, key, c.Position))
	h.ok(b.Advance(h.ctx, eventstore.Move{Key: key, From: c.Position, To: c.Position, Identity: c.Identity, EventID: c.EventID}, nil))
	return c
}

// says reports whether the key's checkpoint says rightly of which history it is, and
// nothing else.
func (h *harness) says(key string) bool {
	h.Helper()
	c := must(h.store.Checkpoints(h.ctx, key))[0]
	at := must(collect(h.store.Read(h.ctx, eventstore.All(), eventstore.After(c.Position-1), eventstore.Until(c.Position))))
	return len(at) == 1 && c.EventID == at[0].ID && c.Identity == must(h.store.Identity(h.ctx)) && c.Stopped == ""
}

// foreign returns the error as what it must be.
func foreign(h *harness, err error) eventstore.HistoryError {
	h.Helper()
	e, ok := errors.AsType[*eventstore.HistoryError](err)
	h.check(ok, "error %v; want a *HistoryError", err)
	return *e
}

// mustNot is a listener that is never called.
func mustNot(h *harness) func(context.Context, eventstore.Recorded) error {
	return func(_ context.Context, r eventstore.Recorded) error {
		h.Errorf("it goes on in another history, at %d", r.Position)
		return nil
	}
}
