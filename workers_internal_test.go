//go:build !race

package signals

import (
	"context"
	"testing"
	"unsafe"
)

// A goroutine begins with 2 KB of stack, of which about half may be used before
// it is copied to one twice as large. That takes longer than all else that a
// worker does for one emission.
func TestAWorkerFitsIntoTheStackThatItsGoroutineBeginsWith(t *testing.T) {
	s := New[string]()
	s.AddListener(func(context.Context, string) {})
	s.Emit(t.Context(), "so that all is made")
	drained(t, s.Drain)

	g := s.all()[0]
	grown := make(chan bool, 1)
	w := new(worker[string])
	work := w.work
	w.start = func() {
		var here byte
		at := uintptr(unsafe.Pointer(&here))
		markTop(0xFFFFF, work) // a million signals
		grown <- uintptr(unsafe.Pointer(&here)) != at
	}
	g.mu.Lock()
	g.resting, g.rested = w, 1
	g.mu.Unlock()
	s.Emit(t.Context(), "for that worker")
	if <-grown {
		t.Error("the stack has grown")
	}
	drained(t, s.Drain)
}

func drained(t *testing.T, drain func(context.Context) error) {
	t.Helper()
	if err := drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}
