package listen

import (
	"context"
	"unsafe"
)

// This file is compiled for each payload type. A function value is one pointer;
// it is kept as that, and read as the function that it is, in place: helpers
// for it would be compiled for each payload type as well.

// Run calls the listener's function or, before that, asks the filters: whether
// the options let payload through. A panic becomes an error.
func Run[T any](ctx context.Context, h *Handler, filter bool, payload T) (undo Undo, ok bool, err error) {
	err = Running
	defer h.Recover(&err)
	switch {
	case filter:
		if h.Ended() {
			return nil, false, nil
		}
		for i := range h.Filters {
			if !(*(*func(T) bool)(unsafe.Pointer(&h.Filters[i])))(payload) {
				return nil, false, nil
			}
		}
		return nil, !h.Ended(), nil // perhaps while a filter ran
	case h.Plain != nil:
		(*(*func(context.Context, T))(unsafe.Pointer(&h.Plain)))(ctx, payload)
		err = nil
	case h.Fails != nil:
		err = (*(*func(context.Context, T) error)(unsafe.Pointer(&h.Fails)))(ctx, payload)
	default:
		undo, err = (*(*func(context.Context, T) (Undo, error))(unsafe.Pointer(&h.Step)))(ctx, payload)
	}
	return undo, ok, err
}
