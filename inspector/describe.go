package inspector

import (
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

const (
	maxPayload = 1024 // bytes of a description
	maxNesting = 4
	maxItems   = 16 // of a slice or map
)

// describe writes a payload as %+v would, but in bounded time and space: fmt
// has no limits, and does not end on a map that contains itself.
//
// A type that says how it wants to be written is written so, wherever in the
// payload it is and whatever its methods have as receiver: LogValue, Format,
// Error, String, MarshalJSON, MarshalText and GoString, the first that there
// is. That is where secrets are left out, so one whose method panics, or cannot
// be called because the field is not exported, is shown by its type alone, and
// a field that JSON leaves out (json:"-") not at all. The methods run where the
// emission does, as if a listener had logged the payload.
func describe(payload any) (text string) {
	d := describer{}
	defer func() {
		if recover() != nil { // somebody changes a map
			text = d.String() + " (it changes)"
		}
		text = cut(text, maxPayload)
	}()
	d.value(reflect.ValueOf(payload), 0)
	return d.String()
}

type describer struct{ strings.Builder }

func (d *describer) value(v reflect.Value, depth int) {
	if d.Len() > maxPayload {
		return
	}
	if !v.IsValid() {
		d.WriteString("nil")
		return
	}
	if d.own(v, depth) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		switch {
		case v.IsNil():
			d.WriteString("nil")
		case depth >= maxNesting:
			d.WriteString("...")
		default:
			if v.Kind() == reflect.Pointer {
				d.WriteByte('&')
			}
			d.value(v.Elem(), depth+1)
		}
	case reflect.Struct:
		d.fields(v, depth)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			d.WriteString(plural(uint64(v.Len()), "byte"))
			return
		}
		d.list("[", "]", v.Len(), maxItems, depth, func(i int) { d.value(v.Index(i), depth+1) })
	case reflect.Map:
		entries := v.MapRange()
		d.list("map[", "]", v.Len(), maxItems, depth, func(int) {
			if entries.Next() {
				d.value(entries.Key(), depth+1)
				d.WriteByte(':')
				d.value(entries.Value(), depth+1)
			}
		})
	case reflect.String:
		s := v.String()
		if depth > 0 {
			s = strconv.Quote(s[:min(len(s), maxPayload)])
		}
		d.WriteString(s[:min(len(s), maxPayload)])
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		d.WriteString(v.Type().String())
	default:
		d.number(v)
	}
}

// number writes a number or a bool, of a field that is not exported too.
func (d *describer) number(v reflect.Value) {
	switch {
	case v.CanInt():
		d.WriteString(strconv.FormatInt(v.Int(), 10))
	case v.CanUint():
		d.WriteString(strconv.FormatUint(v.Uint(), 10))
	case v.CanFloat():
		d.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case v.CanComplex():
		d.WriteString(strconv.FormatComplex(v.Complex(), 'g', -1, 128))
	default:
		d.WriteString(strconv.FormatBool(v.Bool()))
	}
}

func (d *describer) fields(v reflect.Value, depth int) {
	var shown []int
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("json") != "-" {
			shown = append(shown, i)
		}
	}
	d.list("{", "}", len(shown), len(shown), depth, func(i int) {
		d.WriteString(v.Type().Field(shown[i]).Name + ":")
		d.value(v.Field(shown[i]), depth+1)
	})
}

func (d *describer) list(begin, end string, n, most, depth int, item func(int)) {
	d.WriteString(begin)
	switch {
	case n > 0 && depth >= maxNesting:
		d.WriteString("...")
	default:
		for i := range min(n, most) {
			if i > 0 {
				d.WriteByte(' ')
			}
			item(i)
		}
		if n > most {
			fmt.Fprintf(d, " ... %d more", n-most)
		}
	}
	d.WriteString(end)
}

// ways are the methods by which a type says how it wants to be written, the
// first that there is counts.
var ways = []reflect.Type{
	reflect.TypeFor[slog.LogValuer](), reflect.TypeFor[fmt.Formatter](), reflect.TypeFor[error](), reflect.TypeFor[fmt.Stringer](),
	reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[fmt.GoStringer](),
}

// own writes a value in its own way, and reports whether it has one.
func (d *describer) own(v reflect.Value, depth int) bool {
	t := v.Type()
	if v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.IsNil() {
		return false
	}
	way, byPointer := wayOf(t)
	if way == nil {
		return false
	}
	if !v.CanInterface() {
		d.WriteString("(" + t.String() + ")")
		return true
	}
	if byPointer {
		p := reflect.New(t)
		p.Elem().Set(v)
		v = p
	}
	out := bounded{left: maxPayload + 1}
	if !out.say(v.Interface(), way) {
		d.WriteString("(" + t.String() + ": its " + way.Method(0).Name + " panicked)")
		return true
	}
	if out.group != nil {
		d.group(*out.group, depth)
		return true
	}
	d.WriteString(out.String())
	return true
}

// found is what wayOf has found out about a type.
type found struct {
	way       reflect.Type // nil: none
	byPointer bool         // a pointer to the type has it
}

var waysOf sync.Map // of types: found

// wayOf returns which of ways a type, or a pointer to it, has.
func wayOf(t reflect.Type) (way reflect.Type, byPointer bool) {
	if f, ok := waysOf.Load(t); ok {
		return f.(found).way, f.(found).byPointer
	}
	var f found
	for _, w := range ways {
		if t.Implements(w) {
			f = found{w, false}
			break
		}
		if t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(w) {
			f = found{w, true}
			break
		}
	}
	waysOf.Store(t, f)
	return f.way, f.byPointer
}

// group writes what a LogValue has returned.
func (d *describer) group(v slog.Value, depth int) {
	switch {
	case depth >= maxNesting:
		d.WriteString("...")
	case v.Kind() == slog.KindGroup:
		attrs := v.Group()
		d.list("{", "}", len(attrs), maxItems, depth, func(i int) {
			d.WriteString(cut(attrs[i].Key, maxPayload) + ":")
			d.group(attrs[i].Value.Resolve(), depth+1)
		})
	case v.Kind() == slog.KindAny || v.Kind() == slog.KindString:
		d.value(reflect.ValueOf(v.Any()), depth+1)
	default:
		d.WriteString(v.String())
	}
}

// bounded collects what methods write, up to a number of bytes. It is the
// fmt.State of those that have Format.
type bounded struct {
	strings.Builder
	left  int
	group *slog.Value // what LogValue returned
}

// say calls the method and reports whether it came back.
func (b *bounded) say(v any, way reflect.Type) (ok bool) {
	defer func() { _ = recover() }()
	switch way {
	case ways[0]:
		got := v.(slog.LogValuer).LogValue()
		got = got.Resolve()
		b.group = &got
	case ways[1]:
		v.(fmt.Formatter).Format(b, 'v')
	case ways[2]:
		b.text(v.(error).Error())
	case ways[3]:
		b.text(v.(fmt.Stringer).String())
	case ways[4]:
		data, err := v.(json.Marshaler).MarshalJSON()
		b.marshalled(data, err)
	case ways[5]:
		data, err := v.(encoding.TextMarshaler).MarshalText()
		b.marshalled(data, err)
	default:
		b.text(v.(fmt.GoStringer).GoString())
	}
	return true
}

func (b *bounded) marshalled(data []byte, err error) {
	if err != nil {
		b.text("(not marshalled)")
		return
	}
	_, _ = b.Write(data)
}

func (b *bounded) text(s string) { _, _ = b.Write([]byte(s[:min(len(s), b.left)])) }

// Write keeps what there is room for, and takes the rest too.
func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	_, _ = b.Builder.Write(p[:n])
	return len(p), nil
}

// WriteString is Write.
func (b *bounded) WriteString(s string) (int, error) { return b.Write([]byte(s)) }

// Width, Precision and Flag are those of %v.
func (b *bounded) Width() (int, bool)     { return 0, false }
func (b *bounded) Precision() (int, bool) { return 0, false }
func (b *bounded) Flag(int) bool          { return false }

// errorText is the text of an error, whose Error may panic: that of a nil
// pointer in an error, for one.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("(%T: its Error panicked)", err)
		}
	}()
	return err.Error()
}
