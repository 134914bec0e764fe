package inspector

import (
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	maxDump     = 16 << 20        // bytes of stacks that are looked through
	maxStacksOf = 16              // goroutines that are shown of one listener
	dumpAge     = 1 * time.Second // how long a dump serves: making one stops the program for a moment
)

// stackCache holds the last dump of all goroutines.
type stackCache struct {
	mu   sync.Mutex
	at   time.Time
	dump []string
}

// all returns the stacks of all goroutines, at most dumpAge old.
func (c *stackCache) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < dumpAge && c.dump != nil {
		return c.dump
	}
	buf := make([]byte, 1<<18)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) || len(buf) >= maxDump {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	c.at, c.dump = time.Now(), strings.Split(strings.TrimSpace(string(buf)), "\n\n")
	return c.dump
}

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
		if line == "" || line[0] == '\t' {
			continue
		}
		name := line
		if i := strings.LastIndexByte(line, '('); i > 0 {
			name = line[:i]
		}
		if on && strings.HasPrefix(name, core+".") {
			return true
		}
		on = on || shortName(name) == function
	}
	return false
}
