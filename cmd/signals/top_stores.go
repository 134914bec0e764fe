package main

import (
	"fmt"
	"strings"

	"example.com/signals/inspector"
)

// storeLines has a line for each event store, and one for each of its durable
// listeners that has a line: those in trouble, or all.
func storeLines(s *inspector.Snapshot, which show) (lines []string) {
	number := func(n uint64) string { return strings.ReplaceAll(briefCount(n), "·", "0") }
	for i := range s.Stores {
		st := &s.Stores[i]
		text := fmt.Sprintf("store %s: %s, head %s, %s/s, %s", st.Name, st.Status, number(st.Head), strings.ReplaceAll(brief(st.Rate), "·", "0"),
			plural(len(st.Listeners), "durable listener"))
		if st.Dead > 0 {
			text += ", " + plural(st.Dead, "dead letter")
		}
		if st.Error != "" {
			text += "; " + st.Error
		}
		lines = append(lines, text)
		for k := range st.Listeners {
			l := &st.Listeners[k]
			if which != showAll && (which != showTrouble || !troubled(l.Status)) {
				continue
			}
			text := fmt.Sprintf("  %s: %s, %s, at %s, %s behind", l.Key, l.Status, l.State, number(l.Position), number(l.Lag))
			if l.Dead > 0 {
				text += ", " + plural(l.Dead, "dead letter")
			}
			if l.Error != "" {
				text += "; " + l.Error
			}
			lines = append(lines, text)
		}
	}
	return lines
}
