package eventstore

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
)

// TypeOption says something about a type that is registered.
type TypeOption func(*typeConfig)

// typeConfig is what the options of a type say. It does not change.
type typeConfig struct {
	version int
	codec   Codec
	readAs  []string // names under which events of it were stored
	upcasts []upcast // by version
	tagsOf  func(any) []string
	tagged  reflect.Type // that tagsOf is for
	err     error        // the first thing that makes no sense
}

// upcast makes what this program understands of data of an older version.
type upcast struct {
	from   int
	goType reflect.Type // of what it takes
	decode func(ctx context.Context, c Codec, data []byte) (any, error)
	fn     func(any) ([]any, error)
}

// Version says which version of its data the program writes; 1 without it. It
// is stored as the event's Schema. Data of an older one needs UpcastFrom; data of
// a newer one is an error, since it was written by a newer program.
func Version(n int) TypeOption {
	return func(c *typeConfig) {
		if c.version = n; n < 1 || n > math.MaxInt32 {
			c.fail(fmt.Errorf("Version(%d): want 1 to %d", n, math.MaxInt32))
		}
	}
}

// UpcastFrom says what becomes of data of version v, which the type's codec
// decodes as Old. fn returns what it is today, usually one value:
//
//   - a value that the upcast of a later version takes goes on there, the next
//     one first, so each step need only know the next version;
//   - else a value of a registered type is what is read: of this type, or of
//     another one, which must say so with ReadAs and the name that the event
//     was stored under, or queries by its name would not find it;
//   - several values are read one after the other, none means that the event
//     says nothing any more.
//
// Anything else, and an error of fn, is an error of who reads, with the event's
// position. Events in the store never change.
//
// With Recorded as Old, fn gets the event as it is stored, not decoded: for data
// of another codec, or where stream, tags or time are needed.
//
// Versions go on over a change of the name: what was stored as version 1 under
// a name of ReadAs is version 1 here.
func UpcastFrom[Old any](v int, fn func(Old) ([]any, error)) TypeOption {
	return func(c *typeConfig) {
		switch {
		case fn == nil:
			c.fail(fmt.Errorf("UpcastFrom(%d): the function is nil", v))
			return
		case v < 1:
			c.fail(fmt.Errorf("UpcastFrom(%d): versions begin at 1", v))
		case slices.ContainsFunc(c.upcasts, func(u upcast) bool { return u.from == v }):
			c.fail(fmt.Errorf("UpcastFrom(%d) is there twice", v))
		}
		c.upcasts = append(c.upcasts, upcast{
			from: v, goType: reflect.TypeFor[Old](), decode: decodeAs[Old],
			fn: func(old any) ([]any, error) {
				value, _ := old.(Old) // not ok for a nil of an interface: then it is the zero value
				return fn(value)
			},
		})
		slices.SortFunc(c.upcasts, func(a, b upcast) int { return a.from - b.from })
	}
}

// TagsOf derives the tags of an event from its value, whoever appends it. E
// must be the type that is registered.
func TagsOf[E any](fn func(E) []string) TypeOption {
	return func(c *typeConfig) {
		if fn == nil {
			c.fail(errors.New("TagsOf(nil): give a function or leave the option out"))
			return
		}
		c.tagged = reflect.TypeFor[E]()
		c.tagsOf = func(v any) []string { return fn(v.(E)) }
	}
}

// WithCodec sets the type's codec; JSON() without it.
func WithCodec(codec Codec) TypeOption {
	return func(c *typeConfig) {
		if c.codec = codec; codec == nil {
			c.fail(errors.New("WithCodec(nil): give a codec or leave the option out"))
		}
	}
}

// ReadAs says that events of the type were stored under these names: after a
// rename, or because the type of that name, if it is registered too, has upcasts
// that make values of this one. A query by the type's name finds them.
func ReadAs(oldNames ...string) TypeOption {
	return func(c *typeConfig) { c.readAs = append(c.readAs, oldNames...) }
}

func (c *typeConfig) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// check says what makes no sense in a type that is about to be registered.
func (t *eventType) check() error {
	switch t.goType {
	case reflect.TypeFor[Event](), reflect.TypeFor[Recorded](), reflect.TypeFor[Draft](), reflect.TypeFor[Erased]():
		return fmt.Errorf("%s is no type of an event's data", t.goType)
	}
	switch {
	case t.err != nil:
		return t.err
	case t.name == "":
		return errors.New("the name is empty")
	case t.goType.Kind() == reflect.Interface:
		return fmt.Errorf("%s is an interface: register the types that implement it", t.goType)
	case t.tagged != nil && t.tagged != t.goType:
		return fmt.Errorf("TagsOf is for %s; this is %s", t.tagged, t.goType)
	case len(t.upcasts) > 0 && t.upcasts[len(t.upcasts)-1].from >= t.version:
		return fmt.Errorf("UpcastFrom(%d) in version %d: raise it with Version", t.upcasts[len(t.upcasts)-1].from, t.version)
	}
	if _, ok := t.codec.(jsonCodec); ok && blind(t.goType) {
		return fmt.Errorf("%s has no exported field: JSON would store nothing of it", t.goType)
	}
	for _, old := range t.readAs {
		if old == "" || old == t.name {
			return fmt.Errorf("ReadAs(%q): want a name other than its own", old)
		}
		if err := checkName("ReadAs", old); err != nil {
			return err
		}
	}
	return checkName("name", t.name)
}

// blind reports whether encoding/json sees nothing of a struct that has fields.
func blind(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t.NumField() == 0 ||
		t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return false
	}
	for f := range t.Fields() {
		if f.IsExported() || f.Anonymous {
			return false
		}
	}
	return true
}
