package signalstest

import (
	"fmt"
	"reflect"
	"time"
)

// difference says where and how a payload that came differs from one that was
// wanted, by the rules of reflect.DeepEqual, or "" if it does not.
func difference[T any](got, want T) string {
	d := differ{seen: make(map[[2]place]bool)}
	return d.values("", reflect.ValueOf(&got).Elem(), reflect.ValueOf(&want).Elem())
}

// differ compares two values.
type differ struct {
	seen map[[2]place]bool // pairs that are being compared, or have been
}

// values returns how got differs at path from want, or "".
func (d *differ) values(path string, got, want reflect.Value) string {
	if !got.IsValid() || !want.IsValid() {
		if got.IsValid() == want.IsValid() {
			return ""
		}
		return at(path, "%s, not %s", short(got), short(want))
	}
	if got.Type() != want.Type() {
		return at(path, "a %v, not a %v", got.Type(), want.Type())
	}
	if got.Kind() == reflect.Struct && got.Type() == reflect.TypeFor[time.Time]() && got.CanInterface() && want.CanInterface() {
		return d.times(path, got.Interface().(time.Time), want.Interface().(time.Time))
	}
	switch got.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if got.IsNil() != want.IsNil() {
			return at(path, "%s, not %s", short(got), short(want))
		}
		pair := [2]place{{got.Type(), got.Pointer(), 0}, {want.Type(), want.Pointer(), 0}}
		if got.Kind() == reflect.Slice {
			pair[0].n, pair[1].n = got.Len(), want.Len()
		}
		if got.IsNil() || d.seen[pair] || pair[0] == pair[1] {
			return ""
		}
		d.seen[pair] = true
	}
	switch got.Kind() {
	case reflect.Interface, reflect.Pointer:
		return d.values(path, got.Elem(), want.Elem())
	case reflect.Struct:
		for i := range got.NumField() {
			if how := d.values(path+"."+got.Type().Field(i).Name, got.Field(i), want.Field(i)); how != "" {
				return how
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range min(got.Len(), want.Len()) {
			if how := d.values(fmt.Sprintf("%s[%d]", path, i), got.Index(i), want.Index(i)); how != "" {
				return how
			}
		}
		if got.Len() != want.Len() {
			return at(path, "of length %d, not %d", got.Len(), want.Len())
		}
	case reflect.Map:
		return d.maps(path, got, want)
	case reflect.Func:
		if !got.IsNil() || !want.IsNil() {
			return at(path, "a function, and functions are equal only if both are nil")
		}
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		switch {
		case got.Equal(want):
		case !got.Equal(got) || !want.Equal(want):
			return at(path, "%v, not %v, and NaN is equal to nothing", got, want)
		default:
			return at(path, "%v, not %v", got, want)
		}
	default:
		if !got.Equal(want) {
			return at(path, "%s, not %s", short(got), short(want))
		}
	}
	return ""
}

func (d *differ) maps(path string, got, want reflect.Value) string {
	for _, k := range sortedKeys(want) {
		v := got.MapIndex(k)
		if !v.IsValid() {
			return at(path, "without %s", short(k))
		}
		if how := d.values(fmt.Sprintf("%s[%s]", path, short(k)), v, want.MapIndex(k)); how != "" {
			return how
		}
	}
	for _, k := range sortedKeys(got) {
		if !want.MapIndex(k).IsValid() {
			return at(path, "with %s, which is not wanted", short(k))
		}
	}
	return ""
}

// times are compared as everything else is: that is why two that are the same
// instant may differ.
func (d *differ) times(path string, got, want time.Time) string {
	switch {
	case reflect.DeepEqual(got, want):
		return ""
	case got.Equal(want):
		return at(path, "%v, not %v, which is the same instant in another location or with another clock reading", got, want)
	}
	return at(path, "%v, not %v", got, want)
}

func at(path, format string, args ...any) string {
	if path == "" {
		path = "it"
	}
	return fmt.Sprintf("%s is %s", path, fmt.Sprintf(format, args...))
}

// short is a value's text for a sentence.
func short(v reflect.Value) string {
	const most = 60
	if !v.IsValid() {
		return "nil"
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		if v.Kind() == reflect.Map || v.Kind() == reflect.Slice {
			if v.Len() == 0 {
				return "empty"
			}
		}
	}
	p := printer{inside: make(map[place]bool)}
	if v.Kind() == reflect.String {
		fmt.Fprintf(&p, "%q", v.String())
	} else {
		p.value(v)
	}
	if text := p.String(); len(text) > most {
		return text[:most] + "..."
	}
	return p.String()
}
