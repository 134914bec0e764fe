package eventstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Erased is what is read instead of the values of an event whose subject has
// been forgotten. The event keeps its place, and whatever of it was not
// encrypted: everything but Data.
type Erased struct{ Recorded }

// Decode returns the values that a stored event stands for, in the types and
// versions of today: usually one; several or none after an upcast; an Erased; a
// Recorded, if the type is unknown and RawUnknown allows it. An error wraps
// ErrUnknownType if that is the reason, and names the event.
func (r *Registry) Decode(ctx context.Context, e Recorded) ([]any, error) {
	var values []any
	err := r.decode(orBackground(ctx), &e, func(_ string, v any) { values = append(values, v) })
	if err != nil {
		return nil, failed("decode", err)
	}
	return values, nil
}

// decode yields the values of an event with the names of their types.
func (r *Registry) decode(ctx context.Context, e *Recorded, yield func(name string, value any)) error {
	err := r.decodeTo(ctx, e, yield)
	if err != nil {
		return fmt.Errorf("event at position %d, type %q, schema %d: %w", e.Position, e.Type, e.Schema, err)
	}
	return nil
}

func (r *Registry) decodeTo(ctx context.Context, e *Recorded, yield func(name string, value any)) error {
	if r == nil {
		return fmt.Errorf("%w: the store has no types; give it some with the option Types", ErrUnknownType)
	}
	r.seal()
	t := r.byName[e.Type]
	schema := max(e.Schema, 1)
	switch {
	case t == nil && r.raw:
		yield(e.Type, *e)
		return nil
	case t == nil:
		return fmt.Errorf("%w: register it, name it in ReadAs, or allow it with RawUnknown", ErrUnknownType)
	case schema > t.version:
		return fmt.Errorf("it is newer than version %d, which this program knows", t.version)
	case schema == t.version:
		v, err := t.decode(ctx, t.codec, e.Data)
		if errors.Is(err, ErrErased) {
			v, err = Erased{*e}, nil
		}
		if err == nil {
			yield(t.name, v)
		}
		return err
	}
	// All values are made before the first is yielded: an event is read as a
	// whole or not at all.
	var done []named
	if err := r.upcast(ctx, t, e, schema, &done); err != nil {
		if errors.Is(err, ErrErased) {
			yield(t.name, Erased{*e})
			return nil
		}
		return err
	}
	for _, v := range done {
		yield(v.name, v.value)
	}
	return nil
}

// named is a value with the name of its type.
type named struct {
	name  string
	value any
}

// upcast decodes the data of an older version and takes it through the chain.
func (r *Registry) upcast(ctx context.Context, t *eventType, e *Recorded, schema int, done *[]named) error {
	for _, u := range t.upcasts {
		if u.from != schema {
			continue
		}
		var old any = *e
		if u.goType != reflect.TypeFor[Recorded]() {
			var err error
			if old, err = u.decode(ctx, t.codec, e.Data); err != nil {
				return err
			}
		}
		return r.step(t, e, u, old, done)
	}
	return fmt.Errorf("there is no UpcastFrom(%d) for %q", schema, t.name)
}

// step applies one upcast and goes on with what comes out.
func (r *Registry) step(t *eventType, e *Recorded, u upcast, old any, done *[]named) error {
	values, err := u.fn(old)
	if err != nil {
		return fmt.Errorf("UpcastFrom(%d): %w", u.from, err)
	}
	for _, v := range values {
		if next, ok := t.after(u.from, v); ok {
			if err := r.step(t, e, next, v, done); err != nil {
				return err
			}
			continue
		}
		now := r.byGo[reflect.TypeOf(v)]
		switch {
		case now == nil:
			return fmt.Errorf("UpcastFrom(%d) returned a %T, which is neither registered nor taken by an upcast of a later version", u.from, v)
		case now != t && !r.stored(now, e.Type):
			return fmt.Errorf("UpcastFrom(%d) returned a %T: register %q with ReadAs(%q), so that queries by that name find it", u.from, v, now.name, e.Type)
		}
		*done = append(*done, named{now.name, v})
	}
	return nil
}

// stored reports whether a query for the type finds what was stored under the
// name.
func (r *Registry) stored(t *eventType, name string) bool {
	return slices.Contains(r.readAs[t.name], name)
}

// after returns the next upcast after that version which takes the value.
func (t *eventType) after(version int, v any) (upcast, bool) {
	for _, u := range t.upcasts {
		if u.from > version && u.goType == reflect.TypeOf(v) {
			return u, true
		}
	}
	return upcast{}, false
}
