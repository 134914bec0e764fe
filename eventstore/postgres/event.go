package postgres

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// columns are those of an event, as scanEvent reads them.
const columns = "e.position, e.id, e.type, e.schema, e.stream, e.version, e.tags, e.data, e.meta, e.time_ns, e.stored_ns"

// row is an event as its columns have it.
type row struct {
	position, version *int64 // NULL in an outer join
	id, kind, stream  *string
	schema            *int32
	tags              []string
	data, meta        []byte
	time, stored      *int64
}

func (r *row) targets() []any {
	return []any{&r.position, &r.id, &r.kind, &r.schema, &r.stream, &r.version, &r.tags, &r.data, &r.meta, &r.time, &r.stored}
}

// event returns the row as an event. There must be one.
func (r *row) event() (eventstore.Recorded, error) {
	e := eventstore.Recorded{
		Event: eventstore.Event{
			ID: *r.id, Type: *r.kind, Schema: int(*r.schema), Tags: r.tags, Data: r.data, Time: time.Unix(0, *r.time).UTC(),
		},
		Position: eventstore.Position(*r.position),
		Version:  uint64(*r.version),
		Stored:   time.Unix(0, *r.stored).UTC(),
	}
	if r.stream != nil {
		e.Stream = *r.stream
	}
	if len(e.Data) == 0 {
		e.Data = nil
	}
	if r.meta != nil {
		if err := json.Unmarshal(r.meta, &e.Meta); err != nil {
			return e, fmt.Errorf("postgres: meta of the event at position %d: %w", e.Position, err)
		}
	}
	return e, nil
}

// scanEvent reads the columns, and others that come before them.
func scanEvent(rows pgx.Rows, others ...any) (eventstore.Recorded, error) {
	var r row
	if err := rows.Scan(append(others, r.targets()...)...); err != nil {
		return eventstore.Recorded{}, err
	}
	return r.event()
}

const insertEvents = `INSERT INTO {s}.events
	(position, id, type, schema, stream, version, tags, data, meta, time_ns, stored_ns, sum)
SELECT position, id, type, schema, stream, version, tags::text[], data, meta::jsonb, time_ns, stored_ns, sum
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::text[], $6::bigint[], $7::text[], $8::bytea[], $9::text[], $10::bigint[], $11::bigint[], $12::int[])
	AS t (position, id, type, schema, stream, version, tags, data, meta, time_ns, stored_ns, sum)`

const insertTags = `INSERT INTO {s}.event_tags (tag, position) SELECT * FROM unnest($1::text[], $2::bigint[])`

// queueInsert adds what stores the events, and moves the counter to the last of
// them, to a batch of statements.
func (db *DB) queueInsert(b *pgx.Batch, events []eventstore.Recorded) {
	n := len(events)
	var (
		positions, versions = make([]int64, n), make([]int64, n)
		ids, types          = make([]string, n), make([]string, n)
		schemas             = make([]int32, n)
		streams, tags, meta = make([]*string, n), make([]*string, n), make([]*string, n)
		data                = make([][]byte, n)
		times, stored       = make([]int64, n), make([]int64, n)
		sums                = make([]int32, n)
		tag                 []string
		tagged              []int64
	)
	for i := range events {
		r := &events[i]
		positions[i], versions[i] = int64(r.Position), int64(r.Version)
		ids[i], types[i], schemas[i] = r.ID, r.Type, int32(r.Schema)
		data[i] = r.Data
		if r.Data == nil {
			data[i] = []byte{}
		}
		times[i], stored[i] = r.Time.UnixNano(), r.Stored.UnixNano()
		sums[i] = int32(r.Checksum())
		if r.Stream != "" {
			streams[i] = &r.Stream
		}
		if len(r.Tags) > 0 {
			tags[i] = new(arrayLiteral(r.Tags))
		}
		if len(r.Meta) > 0 {
			text, _ := json.Marshal(r.Meta) // strings: it cannot fail
			meta[i] = new(string(text))
		}
		for _, t := range r.Tags {
			tag, tagged = append(tag, t), append(tagged, positions[i])
		}
	}
	b.Queue(db.sql(insertEvents), positions, ids, types, schemas, streams, versions, tags, data, meta, times, stored, sums)
	if len(tag) > 0 {
		b.Queue(db.sql(insertTags), tag, tagged)
	}
	b.Queue(db.sql("UPDATE {s}.counter SET position = $1"), positions[n-1])
}

// arrayLiteral writes a text[] as PostgreSQL reads it: unnest takes no array of
// arrays of different lengths.
func arrayLiteral(texts []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, text := range texts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for j := range len(text) {
			if text[j] == '"' || text[j] == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(text[j])
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

// column returns a position or version as a bigint, the largest one if it is
// larger: no event is there.
func column[N ~uint64](n N) int64 { return int64(min(n, math.MaxInt64)) }

// nanoseconds returns a time as a column, NULL for the zero time.
func nanoseconds(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return new(t.UnixNano())
}

func timeOf(ns *int64) time.Time {
	if ns == nil {
		return time.Time{}
	}
	return time.Unix(0, *ns).UTC()
}
