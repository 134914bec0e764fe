package natsignals

import "reflect"

// asMessage finds the M in a payload: the payload itself, or a pointer to a
// copy of it.
func asMessage[M any](payload any) (M, bool) {
	if m, ok := payload.(M); ok {
		return m, true
	}
	var none M
	if payload == nil {
		return none, false
	}
	p := reflect.New(reflect.TypeOf(payload))
	p.Elem().Set(reflect.ValueOf(payload))
	return reflect.TypeAssert[M](p)
}

// messageIn finds the M to decode into: what into points to, made if it is
// a nil pointer, or into itself.
func messageIn[M any](into any) (M, bool) {
	if v := reflect.ValueOf(into).Elem(); v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		if m, ok := reflect.TypeAssert[M](v); ok {
			return m, true
		}
	}
	m, ok := into.(M)
	return m, ok
}
