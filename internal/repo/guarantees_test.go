package repo

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

var tested = regexp.MustCompile(`\[(\w+)\]\(([^)]*\.go)\)`)

// Each guarantee of the event store names its tests, and where they are: a
// function, or a case of storetest.
func TestEveryGuaranteeOfTheEventStoreHasItsTests(t *testing.T) {
	const document = "docs/event_store.md"
	rows := tableUnder(readFile(t, document), "## Guarantees")
	if len(rows) < 20 {
		t.Fatalf("%s has %d guarantees under that heading", document, len(rows))
	}
	for _, row := range rows {
		names := tested.FindAllStringSubmatch(row.text, -1)
		if len(names) == 0 {
			t.Errorf("%q names no test", row.title)
		}
		for _, m := range names {
			name, file := m[1], path.Join("docs", m[2])
			text := readFile(t, file)
			if !strings.Contains(text, "func "+name+"(t *testing.T)") && !strings.Contains(text, `{"`+name+`", func(`) {
				t.Errorf("%q: %s has no test %s", row.title, file, name)
			}
		}
	}
}
