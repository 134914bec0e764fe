package inspector

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

const (
	maxDump     = 16 << 20        // bytes of stacks that are looked through
	perStack    = 2 << 10         // bytes that a stack is expected to take
	maxStacksOf = 16              // goroutines that are shown of one listener
	dumpAge     = 1 * time.Second // how long a dump serves: making one stops the program for a moment
)

// stackCache holds the last dump of all goroutines.
type stackCache struct {
	dump    func() []byte       // nil: of the runtime
	profile func(*bytes.Buffer) // the same

	mu     sync.Mutex
	at     time.Time
	stacks []string // those with a frame of the core
}

// all returns the stacks of the goroutines in the core, at most dumpAge old.
func (c *stackCache) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stacks == nil || time.Since(c.at) >= dumpAge {
		c.read()
	}
	return c.stacks
}

// fresh returns them as they are now.
func (c *stackCache) fresh() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read()
	return c.stacks
}

// read makes a dump. It must be called with c.mu held.
func (c *stackCache) read() {
	dump := c.dump
	if dump == nil {
		dump = dumpAll
	}
	c.at, c.stacks = time.Now(), []string{}
	inCore, within := []byte(core+"."), []byte(core+"/internal/")
	for stack := range bytes.SplitSeq(bytes.TrimSpace(dump()), []byte("\n\n")) {
		if bytes.Contains(stack, inCore) || bytes.Contains(stack, within) {
			c.stacks = append(c.stacks, string(stack))
		}
	}
}

// emitting reports whether a goroutine is inside an emission of a sync signal.
// It asks the goroutine profile, which is cheaper than a dump, and for which
// the program is not stopped but for a moment.
func (c *stackCache) emitting() bool {
	profile := c.profile
	if profile == nil {
		profile = profileAll
	}
	var b bytes.Buffer
	profile(&b)
	return bytes.Contains(b.Bytes(), []byte(syncSignal))
}

// dumpAll stops the program while it writes the stacks of all goroutines. It
// writes them all even if they find no room, so it had better be enough.
func dumpAll() []byte {
	buf := make([]byte, min(max(runtime.NumGoroutine()*perStack, 1<<16), maxDump))
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) || len(buf) >= maxDump {
			return buf[:n]
		}
		buf = make([]byte, min(2*len(buf), maxDump))
	}
}

func profileAll(b *bytes.Buffer) { _ = pprof.Lookup("goroutine").WriteTo(b, 1) }

// in returns the stacks of the goroutines that the core has call function, in
// the form that shortName gives.
func (c *stackCache) in(function string) []string {
	found := []string{}
	for _, stack := range c.all() {
		if runs(stack, function) {
			if found = append(found, cut(stack, maxStack)); len(found) == maxStacksOf {
				break
			}
		}
	}
	return found
}

// runs reports whether function is on a stack, called by the core.
func runs(stack, function string) bool {
	on := false
	for line := range strings.SplitSeq(stack, "\n") {
		name := frameName(line)
		if on && ofCore(name) {
			return true
		}
		on = on || shortName(name) == function
	}
	return false
}
