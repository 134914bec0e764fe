// Package inside tells whether the calling goroutine is running a listener of
// an async signal, and of which one: a call that is about to wait must know
// whether it would wait for itself.
//
// Go has no goroutine-local storage; asking for the goroutine's number costs
// 1.7 microseconds, and each worker would have to ask when it starts, on the
// way to its first listener. Instead a worker spells the signal's id, in hex
// digits, with the frames at the bottom of its stack, which costs it a few
// nested calls; whoever is about to wait walks its own stack and reads them
// back. That stacks can carry values is the idea of the gls package.
//
// From the outermost frame in: [Mark], one frame for each digit of the id,
// least significant first, markBase, then the listeners. The frames are small,
// so that a worker fits into the stack that a goroutine begins with.
package inside

import (
	"reflect"
	"runtime"
)

// Mark calls fn below frames that spell id. Each of these frames must be there
// exactly once, whatever the compiler inlines: so none of the functions may be
// inlined, and none calls another but through the table or by markBase. (A step
// that they all shared, and that was inlined into each, was counted as a frame
// of its own.)
//
//go:noinline
func Mark(id uint64, fn func()) { digits[id&15](id>>4, fn) }

//go:noinline
func markBase(fn func()) { fn() }

//go:noinline
func mark0(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func mark1(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func mark2(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func mark3(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func mark4(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func mark5(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func mark6(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func mark7(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func mark8(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func mark9(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func markA(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func markB(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func markC(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func markD(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func markE(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

//go:noinline
func markF(rest uint64, fn func()) {
	if rest == 0 {
		markBase(fn)
	} else {
		digits[rest&15](rest>>4, fn)
	}
}

// Read only after init, which breaks the cycle through the marks.
var (
	digits [16]func(uint64, func())
	marks  map[uintptr]int // entry pc to digit, or one of the two below
)

const (
	isTop  = -1
	isBase = -2
)

func init() {
	digits = [...]func(uint64, func()){
		mark0, mark1, mark2, mark3, mark4, mark5, mark6, mark7,
		mark8, mark9, markA, markB, markC, markD, markE, markF,
	}
	marks = map[uintptr]int{
		reflect.ValueOf(Mark).Pointer():     isTop,
		reflect.ValueOf(markBase).Pointer(): isBase,
	}
	for d, f := range digits {
		marks[reflect.ValueOf(f).Pointer()] = d
	}
}

// Running calls yield for each async signal, innermost first, of which the
// calling goroutine is running a listener, until yield returns false.
func Running(yield func(id uint64) bool) {
	var buf [64]uintptr
	pcs := buf[:]
	n := runtime.Callers(2, pcs)
	for n == len(pcs) { // deeper than the buffer: the frames are at the bottom
		pcs = make([]uintptr, 4*len(pcs))
		n = runtime.Callers(2, pcs)
	}
	id, reading := uint64(0), false
	for _, pc := range pcs[:n] {
		f := runtime.FuncForPC(pc - 1)
		if f == nil {
			continue
		}
		switch d, ok := marks[f.Entry()]; {
		case !ok:
		case d == isBase:
			id, reading = 0, true
		case d == isTop && reading:
			if !yield(id) {
				return
			}
			reading = false
		case d >= 0:
			id = id<<4 | uint64(d)
		}
	}
}

// Of reports whether the calling goroutine is running a listener of the async
// signal with that id.
func Of(id uint64) bool {
	for i := range Running {
		if i == id {
			return true
		}
	}
	return false
}

// Any reports whether the calling goroutine is running a listener of any async
// signal.
func Any() bool {
	for range Running {
		return true
	}
	return false
}
