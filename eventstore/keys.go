package eventstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The form of the keys: lines of JSON. The first one is an exportHeader, the
// last one a keysEnd, without which they are cut off; each between them is a
// keyLine.
const keysFormat, keysVersion = "eventstore keys", 1

type keyLine struct {
	ID        string `json:"id"`
	Subject   string `json:"subject,omitempty"`
	Key       []byte `json:"key,omitempty"`
	Older     bool   `json:"older,omitempty"`
	Forgotten bool   `json:"forgotten,omitempty"`
}

type keysEnd struct {
	Keys      int `json:"keys"`
	Forgotten int `json:"forgotten"`
}

// keysPage is how many keys are read, and stored, at once.
const keysPage = 1000

// ExportKeys writes the keys with which Encrypted has encrypted, all that the
// backend has at this moment, to w, and returns how many: as lines of JSON, of
// which ImportKeys wants all. Export leaves them out; a store that is made of an
// export alone has all that is encrypted as Erased. Call it after Export, so
// that the events have no key that is not in it.
//
// Whoever has what it wrote and an export, of whatever day, can read what is
// encrypted, also of those whom Forget has forgotten since: keep the two apart,
// and destroy the keys of yesterday when there are those of today. Which keys
// have been forgotten is in it too (their ids, not the subjects), so that
// ImportKeys forgets them as well.
//
// It needs a backend that is a KeyMover, else the error is ErrUnsupported. A
// KeyStore beside the backend has its own ways.
func (s *Store) ExportKeys(ctx context.Context, w io.Writer) (int, error) {
	ctx = orBackground(ctx)
	n, err := s.exportKeys(ctx, w)
	if err != nil {
		return n, failed("export keys", err)
	}
	s.keysTaken.Store(true)
	return n, nil
}

func (s *Store) exportKeys(ctx context.Context, w io.Writer) (int, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	from, ok := s.backend.(KeyMover)
	if !ok {
		return 0, ErrUnsupported
	}
	identity, err := s.backend.Identity(ctx)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(w, exportBuffer)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(exportHeader{Format: keysFormat, Version: keysVersion, Identity: identity}); err != nil {
		return 0, err
	}
	var end keysEnd
	err = eachKey(ctx, from, func(k SubjectKey) (bool, error) {
		line := keyLine{ID: k.ID, Subject: k.Subject, Key: k.Key, Older: k.Older, Forgotten: k.Forgotten()}
		if line.Forgotten {
			end.Forgotten++
		} else {
			end.Keys++
		}
		return true, encoder.Encode(line)
	})
	if err != nil {
		return 0, err
	}
	if err := encoder.Encode(end); err != nil {
		return 0, err
	}
	return end.Keys, out.Flush()
}

// eachKey calls do with all keys, forgotten ones too, until it says that it has
// enough.
func eachKey(ctx context.Context, from KeyMover, do func(SubjectKey) (more bool, err error)) error {
	for after := ""; ; {
		page, err := from.SubjectKeys(ctx, after, keysPage)
		if err != nil {
			return err
		}
		for _, k := range page {
			if more, err := do(k); err != nil || !more {
				return err
			}
			after = k.ID
		}
		if len(page) < keysPage {
			return nil
		}
	}
}

// hasKeys reports whether the backend has keys that Export leaves out.
func (s *Store) hasKeys(ctx context.Context) (found bool, err error) {
	from, ok := s.backend.(KeyMover)
	if !ok {
		return false, nil
	}
	err = eachKey(ctx, from, func(k SubjectKey) (bool, error) {
		found = !k.Forgotten()
		return !found, nil
	})
	return found, err
}

// ImportKeys takes over what ExportKeys has written, and returns how many keys
// are new here. Call it before Import: what follows the events then never gets
// one as Erased that is not. Snapshots are dropped; a read model that was made
// without the keys has to be made anew.
//
// It may be repeated. A key that was forgotten here stays forgotten, and what was
// forgotten there is forgotten here. A subject that has a key here keeps it for
// what comes, and has the other one for what is there. It refuses keys of
// another history, unless the store is empty, what was cut off, and two files in
// one: nothing is taken over then.
//
// It needs a backend that is a KeyMover, else the error is ErrUnsupported.
func (s *Store) ImportKeys(ctx context.Context, r io.Reader) (int, error) {
	ctx = orBackground(ctx)
	n, err := s.importKeys(ctx, r)
	if err != nil {
		return n, failed("import keys", err)
	}
	return n, nil
}

func (s *Store) importKeys(ctx context.Context, r io.Reader) (taken int, err error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	to, ok := s.backend.(KeyMover)
	if !ok {
		return 0, ErrUnsupported
	}
	keys, identity, err := readKeys(ctx, r)
	if err != nil {
		return 0, err
	}
	head, err := s.backend.Head(ctx)
	if err != nil {
		return 0, err
	}
	own, err := s.backend.Identity(ctx)
	if err != nil {
		return 0, err
	}
	if head > 0 && own != identity {
		return 0, fmt.Errorf("they are of history %s, and this store has history %s: want the keys of its own", identity, own)
	}
	changed := false
	for len(keys) > 0 && err == nil {
		var done KeysImported
		page := keys[:min(len(keys), keysPage)]
		done, err = to.ImportSubjectKeys(ctx, page)
		taken += done.Taken
		changed = changed || done != KeysImported{}
		keys = keys[len(page):]
	}
	// States that were made of Erased, or of what is forgotten now. As in forget,
	// after the keys, and also where only some of them could be stored.
	if snapshots, ok := s.backend.(Snapshots); ok && (changed || err != nil) {
		err = errors.Join(err, snapshots.DropSnapshots(ctx, ""))
	}
	return taken, err
}

// readKeys reads all: whether they are whole is known at the end.
func readKeys(ctx context.Context, r io.Reader) (keys []SubjectKey, identity string, err error) {
	lines := &lineReader{in: bufio.NewReaderSize(r, exportBuffer)}
	var forgotten int
	for {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		text, err := lines.next()
		switch {
		case errors.Is(err, io.EOF) && identity == "":
			return nil, "", errors.New("there is nothing to import: want the lines that ExportKeys writes")
		case errors.Is(err, io.EOF):
			return nil, "", fmt.Errorf("they are cut off after line %d: the last line, which says how many there are, is missing", lines.line-1)
		case err != nil:
		case identity == "":
			identity, err = keysIdentity(text)
		case bytes.HasPrefix(text, []byte(`{"keys":`)):
			var end keysEnd
			if err = strictly(text, &end); err == nil && end != (keysEnd{len(keys) - forgotten, forgotten}) {
				err = fmt.Errorf("it counts %s, and %d that were forgotten, where there are %d and %d", plural(end.Keys, "key"), end.Forgotten, len(keys)-forgotten, forgotten)
			}
			if err == nil {
				if _, err = lines.next(); errors.Is(err, io.EOF) {
					return keys, identity, nil
				}
				if err == nil {
					err = errors.New("there is more behind the end of the keys: give each file of ExportKeys to an ImportKeys of its own")
				}
			}
		default:
			var k SubjectKey
			if k, err = keyOfLine(text); err == nil && len(keys) > 0 && k.ID <= keys[len(keys)-1].ID {
				err = errors.New("the ids are in disorder, or one is there twice")
			}
			if err == nil {
				keys = append(keys, k)
				if k.Forgotten() {
					forgotten++
				}
			}
		}
		if err != nil {
			return nil, "", fmt.Errorf("line %d: %w", lines.line, err)
		}
	}
}

// keysIdentity returns what the first line says.
func keysIdentity(text []byte) (string, error) {
	var h exportHeader
	if !bytes.HasPrefix(text, []byte(`{"format":`)) {
		// Not what it is: it may be a key.
		return "", errors.New("want the first line that ExportKeys writes")
	}
	if err := strictly(text, &h); err != nil {
		return "", err
	}
	if h.Format == exportFormat {
		return "", errors.New("it is an export of events, without keys: Import reads it, and ExportKeys writes the keys")
	}
	return h.Identity, h.check(keysFormat, keysVersion)
}

// keyOfLine returns the key, or what makes it one that no store has. Errors do
// not show the line.
func keyOfLine(text []byte) (SubjectKey, error) {
	var l keyLine
	if err := strictly(text, &l); err != nil {
		return SubjectKey{}, err
	}
	k := SubjectKey{ID: l.ID, Subject: l.Subject, Key: l.Key, Older: l.Older}
	switch {
	case l.ID == "" || len(l.ID) > 255:
		return k, fmt.Errorf("an id of %s: want 1 to 255", plural(len(l.ID), "byte"))
	case checkName("id", l.ID) != nil:
		return k, checkName("id", l.ID)
	case l.Forgotten && (l.Subject != "" || l.Key != nil || l.Older):
		return k, errors.New("a forgotten key has nothing but its id")
	case l.Forgotten:
		return k, nil
	case l.Subject == "":
		return k, errors.New("the key has no subject")
	case len(l.Key) != 32:
		return k, fmt.Errorf("a key of %s: want 32", plural(len(l.Key), "byte"))
	}
	return k, checkName("subject", l.Subject)
}
