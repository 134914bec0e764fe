package otelsignals

import (
	"testing"

	"example.com/signals"
)

// The names of listeners long gone are not kept for ever.
func TestNamesOfListenersAreBounded(t *testing.T) {
	c := cache[signals.ListenerInfo]{make: (&keys{limit: 20}).listenerNames}
	s := &signals.SignalInfo{Name: "s"}
	var last *signals.ListenerInfo
	for range 3 * maxNames {
		last = &signals.ListenerInfo{Signal: s, Key: "k"}
		c.get(last)
	}
	if first := c.get(last); first != c.get(last) {
		t.Error("names are made anew for each call")
	}
	kept := 0
	c.all.Range(func(any, any) bool { kept++; return true })
	if kept > maxNames {
		t.Errorf("%d names are kept, want at most %d", kept, maxNames)
	}
}
