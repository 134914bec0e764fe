package eventstore

import (
	"bytes"
	"runtime"
	"strconv"
	"sync/atomic"
)

// runner is the goroutine in which a listener's function is called, so that a
// Goexit in it ends no more than that. It is replaced then. A goroutine for
// each call would do as well, but Stop has to know whether the listener itself
// calls it, and asking for a goroutine's number costs more than a call.
type runner struct {
	jobs   chan func()   // nil: there is no goroutine; used by the worker
	result chan bool     // one for each job: whether it ended the goroutine
	id     atomic.Uint64 // of the goroutine; 0: none
}

// do runs fn and waits. It reports whether fn ended its goroutine. It is called
// by one goroutine at a time.
func (r *runner) do(fn func()) (exited bool) {
	if r.jobs == nil {
		r.jobs, r.result = make(chan func()), make(chan bool, 1)
		go r.loop(r.jobs, r.result)
	}
	r.jobs <- fn
	if exited = <-r.result; exited {
		r.jobs = nil
	}
	return exited
}

func (r *runner) loop(jobs <-chan func(), result chan<- bool) {
	r.id.Store(goroutine())
	running := false
	defer func() {
		r.id.Store(0)
		if running {
			result <- true
		}
	}()
	for fn := range jobs {
		running = true
		fn()
		running = false
		result <- false
	}
}

// end ends the goroutine, if there is one.
func (r *runner) end() {
	if r.jobs != nil {
		close(r.jobs)
		r.jobs = nil
	}
}

// here reports whether the caller runs in the goroutine.
func (r *runner) here() bool {
	id := r.id.Load()
	return id != 0 && id == goroutine()
}

// goroutine returns the number of the calling goroutine, as a stack trace
// begins with it.
func goroutine() uint64 {
	var buf [64]byte
	text := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	number, _, _ := bytes.Cut(text, []byte(" "))
	id, _ := strconv.ParseUint(string(number), 10, 64)
	return id
}
