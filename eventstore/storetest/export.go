package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"example.com/signals/eventstore"
)

// odd are events that a form of text could spoil.
func odd() []eventstore.Event {
	var out []eventstore.Event
	for i, data := range []string{
		"", "null", "{}", `{"a":1,"b":[1.50,"x"]}`, ` {"a": 1}`, `{"a":1}` + "\n", `"\u00e9<>&é"`, "\"\u2028\"", `{"a":1,"a":2}`, "\x00\xff", `"` + "\xff" + `"`,
		"12345678901234567890.10", "true false", `"json"`, `{"format":"eventstore"}`,
	} {
		out = append(out, eventstore.Event{
			ID: fmt.Sprint("odd-", i), Type: "ü<>&\"\u2028", Schema: i + 1, Stream: []string{"", "日本\n", "s"}[i%3], Tags: []string{"b\t", "a"}[:i%3],
			Data: []byte(data), Meta: map[string]string{"k\n": "<v>\u2029", "": ""}, Time: time.Date(1700, 1, 1, 1, 2, 3, 456789012, time.UTC),
		})
	}
	return out
}

var exportCases = []testCase{
	{"WhatIsExportedAndImportedIsTheSame", func(h *harness) {
		able[eventstore.Importer](h)
		source := eventstore.New(eventstore.Memory())
		must(source.Append(h.ctx, odd()))
		for range 20 {
			must(source.Append(h.ctx, events(70)))
		}
		all := must(collect(source.Read(h.ctx, eventstore.All())))
		var first bytes.Buffer
		equal(h, "exported", must(source.Export(h.ctx, &first, 0)), eventstore.Position(len(all)))
		f := h.follow(eventstore.OfStream("s"), 0)
		equal(h, "imported", must(h.store.Import(h.ctx, bytes.NewReader(first.Bytes()))), eventstore.Position(len(all)))
		equal(h, "events", h.all(eventstore.All()), all)
		equal(h, "followed", f.next(), matching(all, eventstore.OfStream("s"))[0])
		f.end()
		equal(h, "identity", must(h.store.Identity(h.ctx)), must(source.Identity(h.ctx)))
		var second bytes.Buffer
		equal(h, "exported", must(h.store.Export(h.ctx, &second, 0)), eventstore.Position(len(all)))
		h.check(bytes.Equal(first.Bytes(), second.Bytes()), "the second export is another one")
		equal(h, "imported again", must(h.store.Import(h.ctx, &second)), eventstore.Position(len(all)))
		equal(h, "head", h.head(), eventstore.Position(len(all)))
		h.ok(h.store.Check(h.ctx))
	}},
	{"ExportAndImportGoOn", func(h *harness) {
		able[eventstore.Importer](h)
		source := eventstore.New(eventstore.Memory())
		var file bytes.Buffer
		at := eventstore.Position(0)
		for range 5 {
			must(source.Append(h.ctx, events(300)))
			at = must(source.Export(h.ctx, &file, at)) // appended
		}
		all := must(collect(source.Read(h.ctx, eventstore.All())))
		// Cut off anywhere, what came before is there, and the next try goes on.
		for cut := 1000; cut < file.Len(); cut += 70_001 {
			at, err := h.store.Import(h.ctx, bytes.NewReader(file.Bytes()[:cut]))
			lines := file.Bytes()[:bytes.LastIndexByte(file.Bytes()[:cut], '\n')+1]
			whole := bytes.Count(lines, []byte("{\"position\":"))
			if len(lines) < cut {
				h.check(err != nil && strings.Contains(err.Error(), "cut off"), "error %v", err)
			}
			equal(h, "imported", at, eventstore.Position(whole))
			equal(h, "events", positions(h.all(eventstore.All())), positions(all[:whole]))
		}
		must(h.store.Import(h.ctx, &file))
		equal(h, "events", h.all(eventstore.All()), all)
		var none bytes.Buffer
		equal(h, "nothing new", must(h.store.Export(h.ctx, &none, 1500)), 1500)
		equal(h, "imported", must(h.store.Import(h.ctx, &none)), 1500)
	}},
	{"ImportRefuses", func(h *harness) {
		able[eventstore.Importer](h)
		source := eventstore.New(eventstore.Memory())
		must(source.Append(h.ctx, append(events(6), odd()[1])))
		var file bytes.Buffer
		must(source.Export(h.ctx, &file, 0))
		lines := strings.SplitAfter(strings.TrimSuffix(file.String(), "\n"), "\n")
		lines[7] += "\n"
		header := lines[0]
		put := func(lines ...string) error {
			_, err := h.store.Import(h.ctx, strings.NewReader(strings.Join(lines, "")))
			return err
		}
		refused := func(err error, what ...string) {
			h.Helper()
			h.check(err != nil && strings.HasPrefix(err.Error(), "eventstore: import: "), "error %v", err)
			for _, w := range what {
				h.check(strings.Contains(err.Error(), w), "error %v does not say %q", err, w)
			}
		}
		refused(put(), "nothing to import")
		refused(put(lines[1]), "line 1", "first line of an export")
		refused(put(strings.Replace(header, `"version":1`, `"version":2`, 1)), "line 1", "newer")
		refused(put(strings.Replace(header, `"eventstore"`, `"other"`, 1)), "line 1", "other")
		refused(put(header, lines[2]), "line 2", "position 2", "ends at 0")
		refused(put(header, strings.Replace(lines[1], `{`, `{"what":1,`, 1)), "line 2", "what")
		refused(put(header, lines[1][:20]+"\n"), "line 2")
		refused(put(header, strings.Replace(lines[1], `"type":"A",`, ``, 1)), "line 2", "Type")
		refused(put(header, strings.Replace(lines[1], `"version":1`, `"version":4`, 1)), "version 4")
		equal(h, "head", h.head(), 0)
		refused(put(header, lines[1], lines[2], lines[4]), "line 4", "position 4", "2")
		equal(h, "head", h.head(), 2) // what came before the line that is wrong
		refused(put(header, lines[1], strings.Replace(lines[2], `"schema":1`, `"schema":2`, 1)), "position 2", "schema")
		refused(put(header, lines[1], strings.Replace(header, `"identity":"`, `"identity":"x`, 1)), "line 3", "two exports")
		refused(put(strings.Replace(header, `"identity":"`, `"identity":"x`, 1), lines[1]), "line 1", "this store has history")
		h.ok(put(lines...))
		equal(h, "head", h.head(), 7)
	}},
	{"CheckOfAStoreInUse", func(h *harness) {
		h.ok(h.store.Check(h.ctx))
		h.append(odd()...)
		h.fill(300)
		if _, ok := h.backend.(eventstore.Checkpoints); ok {
			h.listenTo(h.store, "k", eventstore.All(), nothing)
			h.ok(h.store.Wait(h.ctx, "k", 100))
		}
		h.ok(h.store.Check(h.ctx))
	}},
}
