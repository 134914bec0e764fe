package signals

import (
	"reflect"
	"runtime"
)

// A call that is about to wait must know whether it runs inside a listener of
// an async signal, and of which one. Go has no goroutine-local storage; asking
// for the goroutine's number costs 1.7 microseconds, and each worker would
// have to ask when it starts, on the way to its first listener. Instead a
// worker spells the signal's id, in hex digits, with the frames at the bottom
// of its stack, which costs it a few nested calls; whoever is about to wait
// walks its own stack and reads them back. That stacks can carry values is the
// idea of the gls package.
//
// From the outermost frame in: markTop, one frame for each digit of the id,
// least significant first, markBase, then the listeners. The frames are small,
// so that a worker fits into the stack that a goroutine begins with.

// markTop calls fn below frames that spell id. Each frame must exist on the
// stack: none of these functions may be inlined.
//
//go:noinline
func markTop(id uint32, fn func()) { digits[id&15](id>>4, fn) }

//go:noinline
func markBase(fn func()) { fn() }

// markNext is inlined into each of the digits.
func markNext(rest uint32, fn func()) {
	if rest == 0 {
		markBase(fn)
		return
	}
	digits[rest&15](rest>>4, fn)
}

//go:noinline
func mark0(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func mark1(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func mark2(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func mark3(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func mark4(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func mark5(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func mark6(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func mark7(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func mark8(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func mark9(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func markA(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func markB(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func markC(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func markD(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func markE(r uint32, fn func()) { markNext(r, fn) }

//go:noinline
func markF(r uint32, fn func()) { markNext(r, fn) }

// Read only after init, which breaks the cycle through markNext.
var (
	digits [16]func(uint32, func())
	marks  map[uintptr]int // entry pc to digit, or one of the two below
)

const (
	isTop  = -1
	isBase = -2
)

func init() {
	digits = [...]func(uint32, func()){
		mark0, mark1, mark2, mark3, mark4, mark5, mark6, mark7,
		mark8, mark9, markA, markB, markC, markD, markE, markF,
	}
	marks = map[uintptr]int{
		reflect.ValueOf(markTop).Pointer():  isTop,
		reflect.ValueOf(markBase).Pointer(): isBase,
	}
	for d, f := range digits {
		marks[reflect.ValueOf(f).Pointer()] = d
	}
}

// running calls yield for each async signal, innermost first, of which the
// calling goroutine is running a listener, until yield returns false.
func running(yield func(id uint32) bool) {
	var buf [64]uintptr
	pcs := buf[:]
	n := runtime.Callers(2, pcs)
	for n == len(pcs) { // deeper than the buffer: the frames are at the bottom
		pcs = make([]uintptr, 4*len(pcs))
		n = runtime.Callers(2, pcs)
	}
	id, reading := uint32(0), false
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
			id = id<<4 | uint32(d)
		}
	}
}

// insideOf reports whether the calling goroutine is running a listener of the
// async signal with that id.
func insideOf(id uint32) bool {
	for i := range running {
		if i == id {
			return true
		}
	}
	return false
}

// insideAny reports whether the calling goroutine is running a listener of any
// async signal.
func insideAny() bool {
	for range running {
		return true
	}
	return false
}
