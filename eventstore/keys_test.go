package eventstore_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"example.com/signals/eventstore"
)

// The warning comes where the keys are left out, and has its mark in the first
// line.
func TestAnExportSaysThatItHasNoKeys(t *testing.T) {
	backend := eventstore.Memory()
	var log bytes.Buffer
	s := eventstore.New(backend, eventstore.Types(people(backend.(eventstore.KeyStore))), eventstore.Logger(slog.New(slog.NewTextHandler(&log, nil))))
	export := func() (first string, warned bool) {
		t.Helper()
		log.Reset()
		var out bytes.Buffer
		if _, err := s.Export(t.Context(), &out, 0); err != nil {
			t.Fatal(err)
		}
		first, _, _ = strings.Cut(out.String(), "\n")
		return first, strings.Contains(log.String(), "ExportKeys")
	}
	record(t, s, deposited{"a", 1})
	if first, warned := export(); warned || strings.Contains(first, "keys") {
		t.Errorf("without keys: %s, %s", first, log.String())
	}
	record(t, s, named{"1", "Ann"})
	if first, warned := export(); !warned || !strings.Contains(first, `"keys":true`) {
		t.Errorf("with a key: %s, %s", first, log.String())
	}
	if n, err := s.ExportKeys(t.Context(), io.Discard); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if first, warned := export(); warned || !strings.Contains(first, `"keys":true`) {
		t.Errorf("who has called ExportKeys: %s, %s", first, log.String())
	}
	if err := s.Forget(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if first, _ := export(); strings.Contains(first, "keys") {
		t.Errorf("none is left: %s", first)
	}
}

func TestKeysNeedABackendThatCanMoveThem(t *testing.T) {
	w := wrap() // a KeyStore
	s := eventstore.New(w, eventstore.Types(people(w)))
	record(t, s, named{"1", "Ann"})
	if _, err := s.ExportKeys(t.Context(), io.Discard); !errors.Is(err, eventstore.ErrUnsupported) {
		t.Errorf("export: %v", err)
	}
	if _, err := s.ImportKeys(t.Context(), strings.NewReader("")); !errors.Is(err, eventstore.ErrUnsupported) {
		t.Errorf("import: %v", err)
	}
	if _, err := s.Export(t.Context(), io.Discard, 0); err != nil {
		t.Error(err)
	}
}

// Cut off anywhere, the keys are no keys: nobody believes that they have all.
func TestKeysThatAreCutOffAreRefused(t *testing.T) {
	backend := eventstore.Memory()
	s := eventstore.New(backend, eventstore.Types(people(backend.(eventstore.KeyStore))))
	record(t, s, named{"1", "Ann"}, named{"2", "Bob"})
	var keys bytes.Buffer
	if n, err := s.ExportKeys(t.Context(), &keys); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	for cut := range keys.Len() {
		to := eventstore.New(eventstore.Memory())
		if n, err := to.ImportKeys(t.Context(), bytes.NewReader(keys.Bytes()[:cut])); n != 0 || err == nil {
			t.Errorf("the first %d of %d bytes: %d keys, %v", cut, keys.Len(), n, err)
		}
		if _, err := s.ExportKeys(t.Context(), &full{left: cut}); err == nil {
			t.Errorf("room for %d of %d bytes, and no error", cut, keys.Len())
		}
	}
}

// Of two files in one nobody would miss the second.
func TestWhatIsBehindTheKeysIsNotPassedOver(t *testing.T) {
	backend := eventstore.Memory()
	s := eventstore.New(backend, eventstore.Types(people(backend.(eventstore.KeyStore))))
	record(t, s, named{"1", "Ann"})
	var both bytes.Buffer
	for range 2 {
		if _, err := s.ExportKeys(t.Context(), &both); err != nil {
			t.Fatal(err)
		}
		record(t, s, named{"2", "Bob"})
	}
	n, err := eventstore.New(eventstore.Memory()).ImportKeys(t.Context(), &both)
	if n != 0 || err == nil || !strings.Contains(err.Error(), "line 4: there is more") {
		t.Errorf("%d keys, %v", n, err)
	}
}

// What Import of keys accepts, Export writes back.
func FuzzImportKeys(f *testing.F) {
	backend := eventstore.Memory()
	keys := backend.(eventstore.KeyMover)
	for _, subject := range []string{"1", "ü", "3"} {
		if _, _, err := keys.SubjectKey(f.Context(), subject); err != nil {
			f.Fatal(err)
		}
	}
	if err := keys.ForgetSubject(f.Context(), "3"); err != nil {
		f.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := eventstore.New(backend).ExportKeys(f.Context(), &text); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add(bytes.Replace(text.Bytes(), []byte(`"}`), []byte(`","older":true}`), 2))
	f.Fuzz(func(t *testing.T, text []byte) {
		first := eventstore.New(eventstore.Memory())
		n, err := first.ImportKeys(t.Context(), bytes.NewReader(text))
		var a, b bytes.Buffer
		if has, exporting := first.ExportKeys(t.Context(), &a); exporting != nil || has != n {
			t.Fatalf("%d keys, %d exported, %v, %v", n, has, err, exporting)
		}
		second := eventstore.New(eventstore.Memory())
		if again, err := second.ImportKeys(t.Context(), bytes.NewReader(a.Bytes())); err != nil || again != n {
			t.Fatalf("%d keys, then %d, %v", n, again, err)
		}
		if _, err := second.ExportKeys(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		_, one, _ := bytes.Cut(a.Bytes(), []byte("\n")) // the first line has the identity
		_, other, _ := bytes.Cut(b.Bytes(), []byte("\n"))
		if !bytes.Equal(one, other) {
			t.Fatalf("exported\n%s\nthen\n%s", one, other)
		}
	})
}
