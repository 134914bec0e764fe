package natsignals

import (
	"context"
	"encoding/json"
	"time"

	"example.com/signals/eventstore"
)

// HeaderEvent is the header in which a Relay tells of the event that a message
// is of, as JSON: what the attributes of CloudEvents have no place for.
const HeaderEvent = "Signals-Event"

// about is what HeaderEvent says.
type about struct {
	Position eventstore.Position `json:"position"`
	Type     string              `json:"type"`
	Schema   int                 `json:"schema"`
	Stream   string              `json:"stream,omitempty"`
	Version  uint64              `json:"version,omitempty"`
	Tags     []string            `json:"tags,omitempty"`
	Meta     map[string]string   `json:"meta,omitempty"`
	Time     time.Time           `json:"time"`
	Stored   time.Time           `json:"stored"`
}

func aboutOf(e eventstore.Recorded) (string, error) {
	text, err := json.Marshal(about{e.Position, e.Type, e.Schema, e.Stream, e.Version, e.Tags, e.Meta, e.Time, e.Stored})
	return string(text), err
}

// RecordedOf returns the event whose message a listener is called for, without
// its Data, from the context that the listener got; false if the emission came
// from no Relay. Where the listener can reach the store, Store.Wait with its
// Position lets a projection catch up first that the message may have overtaken:
//
//	if e, ok := natsignals.RecordedOf(ctx); ok {
//		if err := store.Wait(ctx, "orders", e.Position); err != nil {
//			return err
//		}
//	}
func RecordedOf(ctx context.Context) (eventstore.Recorded, bool) {
	m, ok := MessageOf(ctx)
	if !ok {
		return eventstore.Recorded{}, false
	}
	var a about
	if json.Unmarshal([]byte(m.Header.Get(HeaderEvent)), &a) != nil || a.Position == 0 {
		return eventstore.Recorded{}, false
	}
	return eventstore.Recorded{
		Event: eventstore.Event{
			ID: m.ID, Type: a.Type, Schema: a.Schema, Stream: a.Stream, Tags: a.Tags, Meta: a.Meta, Time: a.Time,
		},
		Position: a.Position, Version: a.Version, Stored: a.Stored,
	}, true
}

// contentType is the media type of an event's data: that of the codec, if one
// was given.
func (c *config) contentType(data []byte) string {
	if _, ok := c.given["WithCodec"]; ok {
		return c.codec.ContentType()
	}
	if json.Valid(data) {
		return JSON.ContentType()
	}
	return Raw.ContentType()
}
