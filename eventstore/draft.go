package eventstore

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Draft is a value that is to become an event, with what the value does not
// say. What is left empty is filled in as in Event.
type Draft struct {
	Stream string            // "": as for the value alone
	Value  any               // of a registered type
	ID     string            // of the event: give one that the request has, and doing it again does nothing
	Tags   []string          // besides those of TagsOf
	Meta   map[string]string // correlation, causation, tenant, trace
	Time   time.Time         // when it happened; zero: now
}

// Encode returns the event that a draft stands for, ready for Append: with the
// name and version of the value's type, the data that its codec wrote, and
// the tags of TagsOf beside those of the draft.
func (r *Registry) Encode(ctx context.Context, d Draft) (Event, error) {
	e, err := r.encode(orBackground(ctx), d)
	if err != nil {
		return Event{}, failed("encode", err)
	}
	return e, nil
}

func (r *Registry) encode(ctx context.Context, d Draft) (Event, error) {
	if d.Value == nil {
		return Event{}, errNoValue
	}
	if r == nil {
		return Event{}, fmt.Errorf("%w: %T: the store has no types; give it some with the option Types", ErrUnknownType, d.Value)
	}
	r.seal()
	t := r.byGo[reflect.TypeOf(d.Value)]
	if t == nil {
		return Event{}, fmt.Errorf("%w: %T: %s", ErrUnknownType, d.Value, r.hint(d.Value))
	}
	data, err := t.codec.Encode(ctx, d.Value)
	if err != nil {
		return Event{}, fmt.Errorf("a %T as %q: %w", d.Value, t.name, err)
	}
	tags := d.Tags
	if t.tagsOf != nil {
		tags = slices.Concat(d.Tags, t.tagsOf(d.Value))
	}
	return Event{
		ID: d.ID, Type: t.name, Schema: t.version, Stream: d.Stream, Tags: tags, Data: data, Meta: d.Meta, Time: d.Time,
	}, nil
}

// hint says what to do about a value of no registered type.
func (r *Registry) hint(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer && r.byGo[t.Elem()] != nil {
		return fmt.Sprintf("%s is registered: give the value, not a pointer", t.Elem())
	}
	if p := reflect.PointerTo(t); r.byGo[p] != nil {
		return fmt.Sprintf("%s is registered: give a pointer", p)
	}
	return "register it before New"
}

// events makes events of what decide returned, each with an ID: from here on
// the batch stays what it is, however often it is appended.
func (r *Registry) events(ctx context.Context, stream string, values []any) ([]Event, error) {
	events := make([]Event, len(values))
	for i, v := range values {
		e, err := r.event(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("value %d of %d: %w", i+1, len(values), err)
		}
		if e.Stream == "" {
			e.Stream = stream
		}
		if e.ID == "" {
			e.ID = newID()
		}
		events[i] = e
	}
	return events, nil
}

func (r *Registry) event(ctx context.Context, v any) (Event, error) {
	switch v := v.(type) {
	case Event:
		return v, nil
	case Draft:
		return r.encode(ctx, v)
	}
	return r.encode(ctx, Draft{Value: v})
}
