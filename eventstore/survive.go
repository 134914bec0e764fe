package eventstore

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
)

// survive encodes a state, or says what of it would not come back. Nil and
// empty slices and maps are the same here, and so is what a method Equal says.
func survive(state any) ([]byte, error) {
	data, err := json.Marshal(state)
	if err != nil {
		return nil, err
	}
	back := reflect.New(reflect.TypeOf(state))
	if err := json.Unmarshal(data, back.Interface()); err != nil {
		return nil, err
	}
	if where := lost(reflect.ValueOf(state), back.Elem(), "", nil); where != "" {
		return nil, fmt.Errorf("%s comes back as another value (an unexported or untagged field, or an interface)", where)
	}
	return data, nil
}

// visit is a pair of pointers that is being compared.
type visit struct{ a, b uintptr }

// lost returns the path to the first difference, "" if there is none. It reads
// unexported fields, too.
func lost(a, b reflect.Value, path string, seen []visit) string {
	here := path
	if here == "" {
		here = "the state"
	}
	if a.IsValid() != b.IsValid() || a.IsValid() && a.Type() != b.Type() {
		return here
	}
	if !a.IsValid() {
		return ""
	}
	if equal, ok := equals(a, b); ok {
		if equal {
			return ""
		}
		return here
	}
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if where := lost(a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name, seen); where != "" {
				return where
			}
		}
		return ""
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			break
		}
		v := visit{a.Pointer(), b.Pointer()}
		if slices.Contains(seen, v) {
			return ""
		}
		return lost(a.Elem(), b.Elem(), path, append(seen, v))
	case reflect.Interface:
		if a.IsNil() || b.IsNil() {
			break
		}
		return lost(a.Elem(), b.Elem(), path, seen)
	case reflect.Slice, reflect.Array:
		return lostElement(a, b, path, here, seen)
	case reflect.Map:
		return lostKey(a, b, path, here, seen)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		if a.IsZero() && b.IsZero() {
			return ""
		}
		return here
	}
	if same(a, b) {
		return ""
	}
	return here
}

func lostElement(a, b reflect.Value, path, here string, seen []visit) string {
	if a.Len() != b.Len() {
		return here
	}
	for i := range a.Len() {
		if where := lost(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i), seen); where != "" {
			return where
		}
	}
	return ""
}

func lostKey(a, b reflect.Value, path, here string, seen []visit) string {
	if a.Len() != b.Len() {
		return here
	}
	for it := a.MapRange(); it.Next(); {
		if where := lost(it.Value(), b.MapIndex(it.Key()), fmt.Sprintf("%s[%v]", path, it.Key()), seen); where != "" {
			return where
		}
	}
	return ""
}

// equals asks a type with a method Equal of its own, as time.Time.
func equals(a, b reflect.Value) (equal, ok bool) {
	if !a.CanInterface() || a.Kind() == reflect.Pointer || a.Kind() == reflect.Interface {
		return false, false
	}
	m := a.MethodByName("Equal")
	if !m.IsValid() || m.Type() != reflect.FuncOf([]reflect.Type{a.Type()}, []reflect.Type{reflect.TypeFor[bool]()}, false) {
		return false, false
	}
	return m.Call([]reflect.Value{b})[0].Bool(), true
}

// same compares what has no parts, or is nil on one side.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		return a.IsNil() == b.IsNil()
	case reflect.Float32, reflect.Float64:
		return math.Float64bits(a.Float()) == math.Float64bits(b.Float())
	}
	return a.Equal(b)
}
