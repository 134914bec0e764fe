package signalstest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// maxValue bounds the text of one payload, in bytes.
const maxValue = 800

// describe prints a payload as %+v does, a string as %q, but follows pointers,
// stops at a cycle, which package fmt does not, and at maxValue. Whole says
// that %#v can print it without an address, a cycle, or too much text.
func describe[T any](payload T) (text string, whole bool) {
	v := reflect.ValueOf(&payload).Elem()
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if v.Kind() == reflect.String && !speaks(v) {
		return abbreviated(fmt.Sprintf("%q", v.String()))
	}
	p := printer{inside: make(map[place]bool)}
	p.value(v)
	text, whole = abbreviated(p.String())
	return text, whole && !p.deep
}

// abbreviated is a text of at most maxValue bytes, and whether that is all.
func abbreviated(text string) (string, bool) {
	if len(text) <= maxValue {
		return text, true
	}
	return strings.ToValidUTF8(text[:maxValue], "") + "...", false
}

// printer prints one value.
type printer struct {
	strings.Builder
	inside map[place]bool // what is being printed now
	deep   bool           // a pointer within has been followed, or a cycle cut
}

// place is what a pointer, map or slice refers to.
type place struct {
	typ reflect.Type
	at  uintptr
	n   int
}

// value prints v, or no more if the text is too long already.
func (p *printer) value(v reflect.Value) {
	if p.Len() > maxValue {
		return
	}
	if !v.IsValid() {
		p.WriteString("<nil>")
		return
	}
	if speaks(v) {
		fmt.Fprintf(p, "%+v", v.Interface())
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if v.IsNil() {
			fmt.Fprintf(p, "%+v", v)
			return
		}
		here := place{v.Type(), v.Pointer(), 0}
		if v.Kind() == reflect.Slice {
			here.n = v.Len()
		}
		if p.inside[here] {
			p.deep = true
			fmt.Fprintf(p, "<the %v again>", v.Type())
			return
		}
		p.inside[here] = true
		defer delete(p.inside, here)
	}
	switch v.Kind() {
	case reflect.Interface:
		p.value(v.Elem())
	case reflect.Pointer:
		p.deep = p.deep || p.Len() > 0
		p.WriteByte('&')
		p.value(v.Elem())
	case reflect.Struct:
		p.group("{", "}", v.NumField(), func(i int) {
			p.WriteString(v.Type().Field(i).Name + ":")
			p.value(v.Field(i))
		})
	case reflect.Slice, reflect.Array:
		p.group("[", "]", v.Len(), func(i int) { p.value(v.Index(i)) })
	case reflect.Map:
		keys := sortedKeys(v)
		p.group("map[", "]", len(keys), func(i int) {
			p.value(keys[i])
			p.WriteByte(':')
			p.value(v.MapIndex(keys[i]))
		})
	case reflect.Func:
		if v.IsNil() {
			p.WriteString("<nil>")
			return
		}
		p.WriteString(v.Type().String()) // its address helps nobody
	case reflect.String:
		text := v.String()
		p.WriteString(text[:min(len(text), maxValue+1)])
	default:
		fmt.Fprintf(p, "%+v", v)
	}
}

func (p *printer) group(begin, end string, n int, item func(int)) {
	p.WriteString(begin)
	for i := 0; i < n && p.Len() <= maxValue; i++ {
		if i > 0 {
			p.WriteByte(' ')
		}
		item(i)
	}
	p.WriteString(end)
}

// speaks reports whether v has a text of its own, which package fmt knows how
// to ask for, also when that panics.
func speaks(v reflect.Value) bool {
	if !v.CanInterface() {
		return false
	}
	switch v.Interface().(type) {
	case fmt.Formatter, fmt.Stringer, error:
		return true
	}
	return false
}

// sortedKeys returns the keys of a map in the order of their texts.
func sortedKeys(m reflect.Value) []reflect.Value {
	texts := make(map[string][]reflect.Value)
	for _, k := range m.MapKeys() {
		p := printer{inside: make(map[place]bool)}
		p.value(k)
		texts[p.String()] = append(texts[p.String()], k)
	}
	var keys []reflect.Value
	for _, text := range slices.Sorted(maps.Keys(texts)) {
		keys = append(keys, texts[text]...)
	}
	return keys
}
