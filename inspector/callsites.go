package inspector

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals"
)

// callSites learns from where signals are emitted: from the stacks of the
// first emissions of each, and of a sample of the rest. Even to be asked costs
// an emission several times its own price, so it listens for a moment, from
// each sample of the counters on, until it has heard enough; where little is
// emitted that is always.
type callSites struct {
	every uint32       // read only, as is bus
	bus   *signals.Bus // nil in tests
	// How many emissions of the signals in a bucket were looked at because they
	// were the first. Once it is at firstFew the bucket is only read, so that
	// emitters do not write to one cache line.
	seen [256]atomic.Uint32

	mu     sync.Mutex
	stacks map[stackKey]*callSite // under mu
	sites  map[siteKey]*callSite  // the same call sites, by what they are; under mu
	stop   func()                 // ends listening; nil while it does not; under mu
	since  time.Time              // when it began to listen; under mu
	heard  int                    // emissions of the sample since; under mu
	over   bool                   // it is not to listen again; under mu
}

const (
	firstFew  = 32
	maxDepth  = 24
	maxStacks = 4096
	maxSites  = 1024
	moment    = 50 * time.Millisecond // to listen at least
	enough    = 16                    // to hear of the sample
)

type stackKey struct {
	signal string
	pcs    [maxDepth]uintptr
}

type siteKey struct{ signal, site, inside string }

// callSite is code that emits a signal.
type callSite struct {
	siteKey
	function string
	weight   uint64 // emissions that it stands for; under callSites.mu
}

// listen begins to listen, if it does not.
func (c *callSites) listen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.every > 0 && c.stop == nil && !c.over {
		c.since, c.heard = time.Now(), 0
		c.stop = c.bus.Observe(signals.Observer{EmitBegin: c.emitted})
	}
}

// rest ends listening if enough has been heard, or for good.
func (c *callSites) rest(over bool) {
	c.mu.Lock()
	c.over = c.over || over
	stop := c.stop
	if !over && (c.every == 1 || c.heard < enough || time.Since(c.since) < moment) {
		stop = nil
	}
	if stop != nil {
		c.stop = nil
	}
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
}

var seed = maphash.MakeSeed()

// emitted is an Observer's EmitBegin.
func (c *callSites) emitted(ctx context.Context, s *signals.SignalInfo) context.Context {
	seen := &c.seen[maphash.Comparable(seed, s)%uint64(len(c.seen))]
	weight := uint64(1)
	if seen.Load() >= firstFew {
		if rand.Uint32()%c.every != 0 {
			return ctx
		}
		weight = uint64(c.every)
		defer c.rest(false)
	} else {
		seen.Add(1)
	}
	c.record(s.Name, weight)
	return ctx
}

func (c *callSites) record(signal string, weight uint64) {
	key := stackKey{signal: signal}
	n := runtime.Callers(3, key.pcs[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	if weight > 1 {
		c.heard++
	}
	if site := c.stacks[key]; site != nil {
		site.weight += weight
		return
	}
	if c.stacks == nil || len(c.stacks) >= maxStacks {
		c.stacks = make(map[stackKey]*callSite)
	}
	if c.sites == nil {
		c.sites = make(map[siteKey]*callSite)
	}
	found := readStack(key.pcs[:n])
	found.signal = signal
	site := c.sites[found.siteKey]
	if site == nil {
		if len(c.sites) >= maxSites {
			return
		}
		site = &found
		c.sites[found.siteKey] = site
	}
	c.stacks[key] = site
	site.weight += weight
}

// all returns a copy of what is known, by signal.
func (c *callSites) all() map[string][]callSite {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string][]callSite)
	for _, s := range c.sites {
		all[s.signal] = append(all[s.signal], *s)
	}
	return all
}

// Import paths, which a rename of the module changes.
var (
	core = reflect.TypeFor[signals.Failure]().PkgPath()
	self = reflect.TypeFor[Inspector]().PkgPath() + "."
)

// ours reports whether a frame is of the library: of the core, the inspector
// or a wrapper around signals.
func ours(f runtime.Frame) bool {
	if strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	return ofCore(f.Function) || strings.HasPrefix(f.Function, core+"/resilience.") || strings.HasPrefix(f.Function, self)
}

// ofCore reports whether a function is one of the core: of the package that
// users see, or of those that it is made of.
func ofCore(function string) bool {
	rest, ok := strings.CutPrefix(function, core)
	return ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "/internal/"))
}

// readStack finds in the stack of an emission the code that emits, and the
// listener that it runs in, if it does: the last function before the core's.
func readStack(pcs []uintptr) (found callSite) {
	found.site = "unknown"
	frames := runtime.CallersFrames(pcs)
	last := ""
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "":
		case !ours(f):
			if found.function == "" {
				found.function, found.site = shortName(f.Function), shortSite(f.File, f.Line)
			}
			last = f.Function
		case last != "" && ofCore(f.Function):
			found.inside = shortName(last)
			return found
		}
		if !more {
			return found
		}
	}
}

// shortName and shortSite write functions and places as the core does.
func shortName(name string) string {
	head, _, _ := strings.Cut(name, "[")
	if i := strings.LastIndexByte(head, '/'); i >= 0 {
		name = name[i+1:]
	}
	return strings.TrimSuffix(name, "-fm")
}

func shortSite(file string, line int) string {
	if i := strings.LastIndexByte(file, '/'); i >= 0 {
		file = file[strings.LastIndexByte(file[:i], '/')+1:]
	}
	return file + ":" + strconv.Itoa(line)
}
