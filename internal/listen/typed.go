package listen

import (
	"context"
	"unsafe"
)

// This file is compiled for each payload type.

// Pack returns a function value as the one pointer that it is; nil for nil.
func Pack[F any](f F) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&f)) }

// Unpack is the reverse of Pack. F must be the type that was packed.
func Unpack[F any](p unsafe.Pointer) F { return *(*F)(unsafe.Pointer(&p)) }

// UnpackAll is Unpack for a slice.
func UnpackAll[F any](ps []unsafe.Pointer) []F { return *(*[]F)(unsafe.Pointer(&ps)) }

// Run calls the listener's function; a panic becomes an error.
func Run[T any](ctx context.Context, h *Handler, payload T) (undo Undo, err error) {
	defer h.Recover(&err)
	switch {
	case h.Plain != nil:
		Unpack[func(context.Context, T)](h.Plain)(ctx, payload)
	case h.Fails != nil:
		err = Unpack[func(context.Context, T) error](h.Fails)(ctx, payload)
	default:
		undo, err = Unpack[func(context.Context, T) (Undo, error)](h.Step)(ctx, payload)
	}
	return undo, err
}

// Wants reports whether the options let payload through. A panic in a filter
// is an error.
func Wants[T any](h *Handler, payload T) (ok bool, err error) {
	defer h.Recover(&err)
	if h.Ended() {
		return false, nil
	}
	for _, pass := range h.Filters {
		if !Unpack[func(T) bool](pass)(payload) {
			return false, nil
		}
	}
	return !h.Ended(), nil // perhaps while a filter ran
}
