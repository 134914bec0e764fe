package signals

import (
	"context"
	"runtime"
	"sync"
	"unsafe"
)

// Identify returns wrapper under the name of wrapped: a registration of it shows
// that function in logs, errors, stats and the inspector. It is for functions
// that wrap a listener and return another one, such as a retry. It may be called
// from any goroutine; a nil wrapper or wrapped gives wrapper as it is.
func Identify[T any](wrapper, wrapped func(context.Context, T) error) func(context.Context, T) error {
	if wrapper == nil || wrapped == nil {
		return wrapper
	}
	// A closure of its own, which is on the heap, whatever wrapper is.
	named := func(ctx context.Context, payload T) error { return wrapper(ctx, payload) }
	identify(*(*unsafe.Pointer)(unsafe.Pointer(&named)), *(*unsafe.Pointer)(unsafe.Pointer(&wrapped)))
	return named
}

// identities are the names of closures by their addresses. An entry goes when
// its closure does. The address may be another closure's by then; so the entry
// pc is compared, and whoever else has that one has noted a name as well.
var identities struct {
	mu sync.Mutex
	by map[uintptr]identity // under mu
	n  uint64               // identities so far; under mu
}

type identity struct {
	closure, name uintptr // entry pcs
	n             uint64
}

// identify names the closure at outer as the function at inner. A function value
// points to its entry pc.
func identify(outer, inner unsafe.Pointer) {
	name := entryPC(inner)
	at := uintptr(outer)
	ids := &identities
	ids.mu.Lock()
	defer ids.mu.Unlock()
	if ids.by == nil {
		ids.by = make(map[uintptr]identity)
	}
	ids.n++
	n := ids.n
	ids.by[at] = identity{*(*uintptr)(outer), name, n}
	runtime.AddCleanup((*byte)(outer), func(uint64) {
		ids.mu.Lock()
		defer ids.mu.Unlock()
		if ids.by[at].n == n {
			delete(ids.by, at)
		}
	}, n)
}

// entryPC returns the entry pc of a function, or of the one that it stands for.
func entryPC(fn unsafe.Pointer) uintptr {
	pc := *(*uintptr)(fn)
	identities.mu.Lock()
	defer identities.mu.Unlock()
	if id, ok := identities.by[uintptr(fn)]; ok && id.closure == pc {
		return id.name
	}
	return pc
}
