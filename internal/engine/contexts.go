package engine

import (
	"context"
	"unsafe"
)

// isBackground reports whether ctx is context.Background(), the most usual one:
// it compares the word of the interface that stands for the type, which saves
// Accept a call, and with it the saving of all its registers.
func isBackground(ctx context.Context) bool { return typeWord(ctx) == background }

var background = typeWord(context.Background())

func typeWord(ctx context.Context) uintptr { return *(*uintptr)(unsafe.Pointer(&ctx)) }

// canEnd reports whether ctx ends or could end. A foreign context may have a
// deadline, or an error, without a channel that tells.
func canEnd(ctx context.Context) bool {
	if ctx.Done() != nil || ctx.Err() != nil {
		return true
	}
	_, ok := ctx.Deadline()
	return ok
}

// detached returns ctx without its cancellation and deadline. One that cannot
// end is returned as it is, which costs nothing.
func detached(ctx context.Context) context.Context {
	if !canEnd(ctx) {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// contextOf returns the context of an emission in the log.
func contextOf(slot unsafe.Pointer) context.Context { return *(*context.Context)(slot) }
