package engine

import (
	"context"
	"reflect"
	"unsafe"

	"example.com/signals/internal/listen"
)

// payloadType is what can be done with slots by reflection, for what is not so
// often done that it must be compiled for each payload type.
type payloadType struct {
	Payload
	slot   reflect.Type
	of     reflect.Type
	offset uintptr // of the payload in a slot
}

func newPayloadType(p Payload) payloadType {
	slot, payload := fields(p)
	return payloadType{p, slot, payload.Type, payload.Offset}
}

// fields returns the type of the slot, and its field that is the payload.
func fields(p Payload) (slot reflect.Type, payload reflect.StructField) {
	slot = reflect.TypeOf(p).Elem()
	return slot, slot.Field(slot.NumField() - 1)
}

// Make returns n empty slots.
func (t *payloadType) Make(n int) unsafe.Pointer {
	return reflect.MakeSlice(reflect.SliceOf(t.slot), n, n).UnsafePointer()
}

// Clear empties n slots.
func (t *payloadType) Clear(slots unsafe.Pointer, n int) { t.Payload.Clear(row(slots, n)) }

// Run is Run of the Payload for n slots.
func (t *payloadType) Run(w *Worker, slots unsafe.Pointer, n int) { t.Payload.Run(w, row(slots, n)) }

// row returns n slots as Payload wants them.
func row(slots unsafe.Pointer, n int) []struct{} { return unsafe.Slice((*struct{})(slots), n) }

// Copy copies one slot.
func (t *payloadType) Copy(to, from unsafe.Pointer) {
	reflect.NewAt(t.slot, to).Elem().Set(reflect.NewAt(t.slot, from).Elem())
}

// Box returns the payload in a slot, as a copy.
func (t *payloadType) Box(slot unsafe.Pointer) any {
	return t.payload(slot).Interface()
}

// run is Call, which taps have as well.
func (t *payloadType) run(ctx context.Context, h *listen.Handler, filter bool, slot unsafe.Pointer) (_ listen.Undo, ok bool, err error) {
	if h.Boxed == nil || filter {
		return t.Call(ctx, h, filter, slot)
	}
	err = listen.Running
	defer h.Recover(&err)
	h.Boxed(ctx, t.Box(slot))
	return nil, false, nil
}

// runner is run, as a function that may be kept.
func (t *payloadType) runner(slot unsafe.Pointer) listen.Runner {
	return func(ctx context.Context, h *listen.Handler, filter bool) (listen.Undo, bool, error) {
		return t.run(ctx, h, filter, slot)
	}
}

// TypeOf returns the payload type T of a Payload, or of a *T.
func TypeOf(of any) reflect.Type {
	if p, ok := of.(Payload); ok {
		_, payload := fields(p)
		return payload.Type
	}
	return reflect.TypeOf(of).Elem()
}

// Filter returns the function f, which must be a func(T) bool of the payload
// type, as the pointer that it is.
func Filter(p, f any) (pass unsafe.Pointer, ok bool) {
	if reflect.TypeOf(f) != reflect.FuncOf([]reflect.Type{TypeOf(p)}, []reflect.Type{reflect.TypeFor[bool]()}, false) {
		return nil, false
	}
	return (*[2]unsafe.Pointer)(unsafe.Pointer(&f))[1], true // the word of an interface that holds its value, which is a pointer
}
