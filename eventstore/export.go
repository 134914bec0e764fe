package eventstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
	"unicode/utf8"
)

// The form of an export: lines of JSON. The first one is an exportHeader, and
// so is the first one that a resumed export adds; each other one is an
// exportLine. Nothing else is in it, so exports of neighbouring ranges, one
// after another, are an export.
const exportFormat, exportVersion = "eventstore", 1

type exportHeader struct {
	Format   string `json:"format"`
	Version  int    `json:"version"`
	Identity string `json:"identity"`
	Keys     bool   `json:"keys,omitempty"` // the store had keys, which are not in the export
}

// check returns what keeps lines that begin so from being read as that format.
func (h exportHeader) check(format string, version int) error {
	switch {
	case h.Format != format || h.Version < 1:
		return fmt.Errorf("format %q, version %d: want %q, %d", h.Format, h.Version, format, version)
	case h.Version > version:
		return fmt.Errorf("it is of version %d, and this program knows %d: use a newer one", h.Version, version)
	case h.Identity == "":
		return errors.New("it has no identity")
	}
	return nil
}

// exportLine is a Recorded. Its data is JSON if it is that exactly as the JSON
// of the line would have it, so that people can read it, else base64.
type exportLine struct {
	Position Position          `json:"position"`
	ID       string            `json:"id"`
	Type     string            `json:"type"`
	Schema   int               `json:"schema"`
	Stream   string            `json:"stream,omitempty"`
	Version  uint64            `json:"version,omitempty"`
	Tags     []string          `json:"tags,omitempty"`
	Time     time.Time         `json:"time"`
	Stored   time.Time         `json:"stored"`
	Meta     map[string]string `json:"meta,omitempty"`
	JSON     json.RawMessage   `json:"json,omitempty"`
	Data     []byte            `json:"data,omitempty"`
}

// Export writes the events after that position, up to the head at its
// beginning, to w: as lines of JSON, first one with the store's identity, then
// one for each event with its position, version and times. It returns the
// position of the last event that w has taken whole lines of; after an error,
// Export after that position, appended to what w has up to there, goes on.
// Import reads it. Checkpoints, dead letters and snapshots are not in it. It
// reads in pages, as Read.
//
// The keys of Encrypted are not in it either, and without them all that is
// encrypted reads as Erased, wherever it is imported: ExportKeys writes them. If
// there are any, the first line and a warning of the Logger say so, the warning
// unless ExportKeys has been called.
func (s *Store) Export(ctx context.Context, w io.Writer, after Position) (Position, error) {
	ctx = orBackground(ctx)
	last, err := s.export(ctx, w, after)
	if err != nil {
		return last, failed("export", err)
	}
	return last, nil
}

// exportBuffer is how much is written at once.
const exportBuffer = 64 << 10

func (s *Store) export(ctx context.Context, w io.Writer, after Position) (last Position, err error) {
	if err := s.ready(ctx); err != nil {
		return after, err
	}
	identity, err := s.backend.Identity(ctx)
	if err != nil {
		return after, err
	}
	keys, err := s.hasKeys(ctx)
	if err != nil {
		return after, err
	}
	if keys && !s.keysTaken.Load() {
		s.log(slog.LevelWarn, "eventstore: an export has no keys: without those that ExportKeys writes, all that is encrypted reads as erased where it is imported")
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	out := bufio.NewWriterSize(w, exportBuffer)
	last, pending := after, after
	// put keeps whole lines together, so that last is right if w fails.
	put := func(v any, p Position) error {
		line.Reset()
		if err := encoder.Encode(v); err != nil {
			return err
		}
		if line.Len() > out.Available() {
			if err := out.Flush(); err != nil {
				return err
			}
			last = pending
		}
		if _, err := out.Write(line.Bytes()); err != nil {
			return err
		}
		pending = p
		return nil
	}
	if err := put(exportHeader{exportFormat, exportVersion, identity, keys}, after); err != nil {
		return last, err
	}
	var writing error
	err = s.read(ctx, All(), readConfig{after: after}, func(r Recorded) bool {
		writing = put(lineOf(r), r.Position)
		return writing == nil
	})
	if writing != nil {
		return last, writing
	}
	if flushing := out.Flush(); flushing != nil {
		return last, flushing
	}
	return pending, err
}

func lineOf(r Recorded) exportLine {
	l := exportLine{
		Position: r.Position, ID: r.ID, Type: r.Type, Schema: r.Schema, Stream: r.Stream, Version: r.Version,
		Tags: r.Tags, Time: r.Time, Stored: r.Stored, Meta: r.Meta,
	}
	if plainJSON(r.Data) {
		l.JSON = r.Data
	} else {
		l.Data = r.Data
	}
	return l
}

// plainJSON reports whether data comes back as it is from a line of JSON.
func plainJSON(data []byte) bool {
	if len(data) == 0 || !utf8.Valid(data) || !json.Valid(data) {
		return false
	}
	var compact bytes.Buffer
	return json.Compact(&compact, data) == nil && bytes.Equal(compact.Bytes(), data)
}
