package eventstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

const (
	// importBatch bounds the events of one transaction, pageBytes their data.
	importBatch = 512
	// maxLine is the most bytes of a line.
	maxLine = 256 << 20
)

// Import takes over what Export has written: the events with their positions,
// versions and times, and into an empty store the identity. It returns the
// store's last position then.
//
// It may be repeated: what is there already is compared and passed over, so
// after an error the same Import, or one of what follows, goes on where it was.
// Everything before the line that the error names is stored. It refuses events
// of another history, a gap, an event that is there with other content, and
// what a store could not have written. A line that was cut off at the end is an
// error. Persisted is not emitted; durable listeners and followers see the
// events. It needs a backend that is an Importer, else the error is
// ErrUnsupported.
//
// Where the exported store had keys of Encrypted and this one has none, the
// events are imported, and the error is ErrKeysMissing: call ImportKeys, before
// Import if there are listeners; or leave it at that if what is encrypted may
// be Erased here. A store that has some keys is not asked for those that have been
// made since: call ImportKeys with every Import.
func (s *Store) Import(ctx context.Context, r io.Reader) (Position, error) {
	ctx = orBackground(ctx)
	if err := s.ready(ctx); err != nil {
		return 0, failed("import", err)
	}
	to, ok := s.backend.(Importer)
	if !ok {
		return 0, failed("import", ErrUnsupported)
	}
	i := &importing{store: s, to: to, in: lineReader{in: bufio.NewReaderSize(r, exportBuffer)}}
	if err := i.run(ctx); err != nil {
		return i.head, failed("import", err)
	}
	return i.head, nil
}

// importing is an Import under way.
type importing struct {
	store    *Store
	to       Importer
	in       lineReader
	identity string   // of the last header; "" before it
	keys     bool     // a header says that the store had keys
	head     Position // of the store
	at       Position // of the last event read; 0: none
	batch    []Recorded
	bytes    int // of the data in batch
}

func (i *importing) run(ctx context.Context) error {
	head, err := i.store.backend.Head(ctx)
	if err != nil {
		return err
	}
	i.head = head
	for {
		if err := i.store.ready(ctx); err != nil {
			return err
		}
		text, err := i.in.next()
		if errors.Is(err, io.EOF) { // of the lines; one of a backend or of a line is an error
			break
		}
		if err == nil {
			err = i.take(ctx, text)
		}
		if err != nil {
			// What was read before is stored, so that a repetition goes on here.
			return errors.Join(fmt.Errorf("line %d: %w", i.in.line, err), i.flush(ctx))
		}
	}
	if i.identity == "" {
		return errors.New("there is nothing to import: want the lines that Export writes")
	}
	if err := i.flush(ctx); err != nil {
		return err
	}
	return i.keysHere(ctx)
}

// keysHere returns ErrKeysMissing if the store that the events are of had keys,
// and this one never had any.
func (i *importing) keysHere(ctx context.Context) error {
	keys, ok := i.store.backend.(KeyMover)
	if !i.keys || !ok {
		return nil
	}
	if any, err := keys.SubjectKeys(ctx, "", 1); err != nil || len(any) > 0 {
		return err
	}
	return ErrKeysMissing
}

// take takes a line.
func (i *importing) take(ctx context.Context, text []byte) error {
	var header exportHeader
	if bytes.HasPrefix(text, []byte(`{"format":`)) {
		if err := strictly(text, &header); err != nil {
			return err
		}
		return i.begin(ctx, header)
	}
	if i.identity == "" {
		return fmt.Errorf("it is %.60q: want the first line of an export", text)
	}
	var l exportLine
	if err := strictly(text, &l); err != nil {
		return err
	}
	r, err := l.recorded()
	if err != nil {
		return err
	}
	switch {
	case i.at > 0 && r.Position != i.at+1:
		return fmt.Errorf("position %d follows %d: events are missing, or the lines are in disorder", r.Position, i.at)
	case r.Position > i.head+Position(len(i.batch))+1 && len(i.batch) == 0:
		return fmt.Errorf("position %d where the store ends at %d: import what lies between first", r.Position, i.head)
	}
	// A batch is all new or all old.
	if old := r.Position <= i.head; len(i.batch) > 0 && old != (i.batch[0].Position <= i.head) {
		if err := i.flush(ctx); err != nil {
			return err
		}
	}
	i.at = r.Position
	i.batch = append(i.batch, r)
	if i.bytes += len(r.Data); len(i.batch) >= importBatch || i.bytes >= pageBytes {
		return i.flush(ctx)
	}
	return nil
}

// begin takes a header.
func (i *importing) begin(ctx context.Context, h exportHeader) error {
	if h.Format == keysFormat {
		return errors.New("these are keys: ImportKeys reads them, and Export writes the events")
	}
	if err := h.check(exportFormat, exportVersion); err != nil {
		return err
	}
	if i.identity != "" && h.Identity != i.identity {
		return fmt.Errorf("history %s goes on as %s: these are two exports", i.identity, h.Identity)
	}
	if i.head > 0 {
		own, err := i.store.backend.Identity(ctx)
		if err != nil {
			return err
		}
		if own != h.Identity {
			return fmt.Errorf("it is of history %s, and this store has history %s: import into an empty store", h.Identity, own)
		}
	}
	i.identity, i.keys = h.Identity, h.Keys
	return nil
}

// flush stores the batch, or compares it with what is there.
func (i *importing) flush(ctx context.Context) error {
	batch := i.batch
	i.batch, i.bytes = nil, 0
	if len(batch) == 0 {
		return nil
	}
	last := batch[len(batch)-1].Position
	if batch[0].Position > i.head {
		if err := i.to.Import(ctx, i.identity, batch); err != nil {
			return err
		}
		i.head = last
		return nil
	}
	n := 0
	var differs error
	err := i.store.read(ctx, All(), readConfig{after: batch[0].Position - 1, until: last, bounded: true}, func(r Recorded) bool {
		if what := different(&r, &batch[n]); what != "" {
			differs = fmt.Errorf("position %d is in the store with another %s", r.Position, what)
			return false
		}
		n++
		return true
	})
	return errors.Join(err, differs)
}

// strictly decodes one JSON value, with fields that are known, and no more.
func strictly(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); errors.Is(err, io.EOF) {
		return errors.New("the line is empty")
	} else if err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind the JSON value")
	}
	return nil
}

// recorded returns the event, or what makes it one that no store has written.
func (l *exportLine) recorded() (Recorded, error) {
	r := Recorded{
		Event:    Event{ID: l.ID, Type: l.Type, Schema: l.Schema, Stream: l.Stream, Tags: l.Tags, Meta: l.Meta, Data: l.Data, Time: l.Time},
		Position: l.Position, Version: l.Version, Stored: l.Stored.UTC(),
	}
	if l.JSON != nil {
		if l.Data != nil {
			return r, errors.New("it has both json and data")
		}
		r.Data = l.JSON
	}
	if problem := malformed(&r); problem != "" {
		return r, errors.New(problem)
	}
	return r.Clone(), nil
}

// malformed says what makes r an event that no store has written, but for its
// place among others; "" if nothing does.
func malformed(r *Recorded) string {
	if r.ID == "" {
		return "the event has no id"
	}
	r.Time = r.Time.UTC()
	e, err := r.normal(time.Time{})
	switch {
	case err != nil:
		return err.Error()
	case r.Time.IsZero():
		return "the event has no time"
	case r.Schema != e.Schema:
		return fmt.Sprintf("schema %d: want 1 or more", r.Schema)
	case !slices.Equal(r.Tags, e.Tags):
		return fmt.Sprintf("tags %q: want them sorted, and each once", r.Tags)
	case r.Position == 0:
		return "the event has no position"
	case (r.Version == 0) != (r.Stream == ""):
		return fmt.Sprintf("version %d of stream %q", r.Version, r.Stream)
	case !time.Unix(0, r.Stored.UnixNano()).Equal(r.Stored):
		return fmt.Sprintf("stored %s: want 1678 to 2262", r.Stored)
	}
	return ""
}

// different names what makes the two events different, or returns "".
func different(a, b *Recorded) string {
	switch {
	case a.ID != b.ID:
		return "id"
	case a.Version != b.Version:
		return "version"
	case !a.Time.Equal(b.Time) || !a.Stored.Equal(b.Stored):
		return "time"
	case !maps.Equal(a.Meta, b.Meta):
		return "meta"
	}
	return a.differs(&b.Event)
}
