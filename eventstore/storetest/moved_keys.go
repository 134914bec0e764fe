package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"example.com/signals/eventstore"
)

// exported returns what a store gives away.
func exported[T any](h *harness, export func(io.Writer) (T, error)) (text []byte, n T) {
	h.Helper()
	var out bytes.Buffer
	n, err := export(&out)
	h.ok(err)
	return out.Bytes(), n
}

func (h *harness) exportOf(s *eventstore.Store) []byte {
	h.Helper()
	text, _ := exported(h, func(w io.Writer) (eventstore.Position, error) { return s.Export(h.ctx, w, 0) })
	return text
}

func (h *harness) keysOf(s *eventstore.Store) []byte {
	h.Helper()
	text, _ := exported(h, func(w io.Writer) (int, error) { return s.ExportKeys(h.ctx, w) })
	return text
}

// takes imports keys, and wants so many to be new.
func (h *harness) takes(s *eventstore.Store, keys []byte, want int) {
	h.Helper()
	equal(h, "keys taken over", must(s.ImportKeys(h.ctx, bytes.NewReader(keys))), want)
}

// books books seats for these, one after another from the first on.
func (h *harness) books(s *eventstore.Store, first int, people ...string) {
	h.Helper()
	for i, by := range people {
		_, err := eventstore.Decide(h.ctx, s, plan(eventstore.All(), 0), book(first+i, by))
		h.ok(err)
	}
}

var movedKeyCases = []testCase{
	{"WhatIsEncryptedMovesWithItsKeys", func(h *harness) {
		able[eventstore.KeyMover](h)
		all := plan(eventstore.All(), 0)
		memory := h.typedOver(eventstore.Memory())
		h.books(memory, 0, "anna", "robert", "anna", "evelyn")
		h.ok(memory.Forget(h.ctx, "evelyn"))
		want := seats{0: "anna", 1: "robert", 2: "anna", -1: "4,"}
		events, keys := h.exportOf(memory), h.keysOf(memory)
		for _, secret := range []string{"anna", "robert", "evelyn"} {
			h.check(!bytes.Contains(events, []byte(secret)), "%s is in the export", secret)
		}
		h.check(!bytes.Contains(keys, []byte("evelyn")), "who was forgotten is named in the keys")

		s := h.typed()
		h.takes(s, keys, 2) // first, so that nobody sees Erased
		must(s.Import(h.ctx, bytes.NewReader(events)))
		h.loads(s, all, want)
		h.takes(s, keys, 0)
		h.check(bytes.Equal(h.keysOf(s), keys), "the keys that are exported again are others")

		// The key is the one of today here too: the same value is the same data.
		h.books(memory, 5, "anna")
		h.books(s, 5, "anna")
		there, here := must(collect(memory.Read(h.ctx, eventstore.All(), eventstore.After(4)))), must(collect(s.Read(h.ctx, eventstore.All(), eventstore.After(4))))
		h.check(bytes.Equal(there[0].Data, here[0].Data), "ann has another key here")

		back := h.typedOver(eventstore.Memory())
		h.takes(back, h.keysOf(s), 2)
		must(back.Import(h.ctx, bytes.NewReader(h.exportOf(s))))
		want[5] = "anna"
		h.loads(back, all, want)
	}},
	{"AnImportSaysThatTheKeysAreMissing", func(h *harness) {
		able[eventstore.KeyMover](h)
		memory := h.typedOver(eventstore.Memory())
		h.books(memory, 0, "ann", "bob")
		events, keys := h.exportOf(memory), h.keysOf(memory)
		s := h.typed()
		for range 2 {
			at, err := s.Import(h.ctx, bytes.NewReader(events))
			h.is(err, eventstore.ErrKeysMissing)
			equal(h, "imported", at, 2)
		}
		_, snapshots := h.backend.(eventstore.Snapshots)
		m := plan(eventstore.All(), map[bool]int{true: 1}[snapshots])
		h.loads(s, m, seats{-1: "1,2,"})
		// Who notices it late loses nothing: not what has been appended with a new key
		// meanwhile either, and no snapshot remembers what was erased.
		h.books(s, 2, "ann")
		h.loads(s, m, seats{-1: "1,2,", 2: "ann"})
		h.takes(s, keys, 2)
		h.loads(s, m, seats{0: "ann", 1: "bob", 2: "ann"})
		must(s.Import(h.ctx, bytes.NewReader(events)))
		h.books(s, 3, "ann")
		third := must(collect(s.Read(h.ctx, eventstore.All(), eventstore.After(2))))
		id := 2 + int(third[0].Data[1])
		h.check(bytes.Equal(third[0].Data[:id], third[1].Data[:id]), "ann's key of today is not the one that was made here")

		again := h.typedOver(eventstore.Memory())
		h.takes(again, h.keysOf(s), 3)
		must(again.Import(h.ctx, bytes.NewReader(h.exportOf(s))))
		h.loads(again, m, seats{0: "ann", 1: "bob", 2: "ann", 3: "ann"})
		equal(h, "of today, here and there", idOf(h, again.Backend(), "ann"), idOf(h, h.backend, "ann"))
		// All keys of a subject are forgotten.
		h.ok(s.Forget(h.ctx, "ann"))
		h.loads(s, m, seats{-1: "1,3,4,", 1: "bob"})
	}},
	{"WhatIsForgottenStaysForgotten", func(h *harness) {
		able[eventstore.KeyMover](h)
		all := plan(eventstore.All(), 0)
		s := h.typed()
		h.books(s, 0, "ann", "bob", "eve")
		events, before := h.exportOf(s), h.keysOf(s)
		h.ok(s.Forget(h.ctx, "ann"))
		h.takes(s, before, 0) // a copy of yesterday
		h.loads(s, all, seats{-1: "1,", 1: "bob", 2: "eve"})

		// A store that was made of yesterday's copy forgets when it gets today's.
		copied := h.typedOver(eventstore.Memory())
		h.takes(copied, before, 3)
		must(copied.Import(h.ctx, bytes.NewReader(events)))
		h.loads(copied, all, seats{0: "ann", 1: "bob", 2: "eve"})
		h.takes(copied, h.keysOf(s), 0)
		h.loads(copied, all, seats{-1: "1,", 1: "bob", 2: "eve"})
		h.ok(copied.Forget(h.ctx, "eve"))
		h.takes(s, h.keysOf(copied), 0)
		h.loads(s, all, seats{-1: "1,3,", 1: "bob"})
		h.takes(s, before, 0)
		h.loads(s, all, seats{-1: "1,3,", 1: "bob"})
		h.books(s, 4, "ann") // who comes again has a new key
		h.loads(s, all, seats{-1: "1,3,", 1: "bob", 4: "ann"})
		h.check(idOf(h, h.backend, "ann") != "", "ann has no key")
	}},
	{"ImportOfKeysRefuses", func(h *harness) {
		able[eventstore.KeyMover](h)
		memory := h.typedOver(eventstore.Memory())
		h.books(memory, 0, "ann", "bob", "eve")
		h.ok(memory.Forget(h.ctx, "eve"))
		lines := strings.SplitAfter(string(h.keysOf(memory)), "\n")
		equal(h, "lines", len(lines), 1+3+1+1)
		s := h.typed()
		refused := func(err error, what ...string) {
			h.Helper()
			h.check(err != nil && strings.HasPrefix(err.Error(), "eventstore: import keys: "), "error %v", err)
			for _, w := range what {
				h.check(strings.Contains(err.Error(), w), "error %v does not say %q", err, w)
			}
			keys := must(h.backend.(eventstore.KeyMover).SubjectKeys(h.ctx, "", 10))
			equal(h, "keys", len(keys), 0)
		}
		put := func(lines ...string) error {
			_, err := s.ImportKeys(h.ctx, strings.NewReader(strings.Join(lines, "")))
			return err
		}
		refused(put(), "nothing to import")
		refused(put(lines[:4]...), "cut off after line 4")
		refused(put(lines[0], lines[1][:30]), "line 2", "cut off")
		refused(put(lines[0], lines[1], lines[2], lines[4]), "line 4", "counts")
		refused(put(lines[1:]...), "line 1", "first line")
		refused(put(lines[0], lines[2], lines[1], lines[3], lines[4]), "line 3", "disorder")
		refused(put(string(h.exportOf(memory))), "line 1", "export of events")
		refused(put(strings.Replace(lines[0], `"version":1`, `"version":2`, 1)), "line 1", "newer")
		refused(put(lines[0], `{"id":"a","subject":"b","key":"AAAA"}`+"\n"), "line 2", "3 bytes: want 32")
		refused(put(lines[0], `{"id":"a","key":"AAAA"}`+"\n"), "line 2", "no subject")
		refused(put(lines[0], `{"id":"a","subject":"b","forgotten":true}`+"\n"), "line 2", "nothing but its id")
		h.append(event("A", ""))
		refused(put(lines...), "history", "its own")
		_, err := h.store.Import(h.ctx, strings.NewReader(strings.Join(lines, "")))
		h.check(err != nil && strings.Contains(err.Error(), "these are keys"), "error %v", err)
	}},
	{"KeysAreImportedWhileSubjectsAreForgotten", func(h *harness) {
		b := able[eventstore.KeyMover](h)
		var all sync.WaitGroup
		failed := make(chan error, 1000)
		const each = 8
		for n := range 3 {
			all.Go(func() {
				for i := range each {
					subject := fmt.Sprint(n, "-", i)
					_, _, err := b.SubjectKey(h.ctx, subject)
					failed <- errors.Join(err, b.ForgetSubject(h.ctx, subject))
				}
			})
			all.Go(func() {
				for i := range each {
					_, err := b.ImportSubjectKeys(h.ctx, []eventstore.SubjectKey{{ID: fmt.Sprint("old", n, "-", i)}})
					failed <- err
				}
			})
		}
		all.Wait()
		close(failed)
		for err := range failed {
			h.ok(err)
		}
		keys := must(b.SubjectKeys(h.ctx, "", 1000))
		equal(h, "keys", len(keys), 2*3*each)
		for _, k := range keys {
			h.check(k.Forgotten(), "%s is not forgotten", k.ID)
		}
	}},
	{"ManyKeys", func(h *harness) {
		b := able[eventstore.KeyMover](h)
		source := eventstore.Memory().(eventstore.KeyMover)
		const n = 2500 // more than a page
		for i := range n {
			_, _, err := source.SubjectKey(h.ctx, fmt.Sprint(i))
			h.ok(err)
		}
		keys := h.keysOf(eventstore.New(source.(eventstore.Backend)))
		h.takes(h.store, keys, n)
		_, want, _ := bytes.Cut(keys, []byte("\n"))
		_, got, _ := bytes.Cut(h.keysOf(h.store), []byte("\n"))
		h.check(bytes.Equal(got, want), "the keys are others")
		all := must(b.SubjectKeys(h.ctx, "", n+1))
		equal(h, "a page", must(b.SubjectKeys(h.ctx, all[9].ID, 5)), all[10:15])
		changed := all[7]
		changed.Key = all[8].Key
		_, err := b.ImportSubjectKeys(h.ctx, []eventstore.SubjectKey{{ID: "new", Subject: "new", Key: make([]byte, 32)}, changed})
		h.check(err != nil && strings.Contains(err.Error(), changed.ID), "error %v", err)
		_, err = b.KeyByID(h.ctx, "new")
		h.is(err, eventstore.ErrErased)
	}},
}

// idOf returns the id of the key that a subject has for what comes.
func idOf(h *harness, b eventstore.Backend, subject string) string {
	h.Helper()
	id, _, err := b.(eventstore.KeyStore).SubjectKey(h.ctx, subject)
	h.ok(err)
	return id
}
