package repo

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// counted is a number with a noun in the plural, in a text.
var counted = regexp.MustCompile(`"[^"]*%[ds] (more |dead |repeated |malformed )?(answers|attempts|cancellations|events|failures|keys|letters|lines|messages|nodes|orders|problems|requests|snapshots|stocks|times)\b[^"]*"`)

// A count that may be 1 goes through a function that knows the singular. That
// is a rule for texts people read; one that says what is wanted has its number.
func TestTextsDoNotSay1Events(t *testing.T) {
	for _, file := range filesNamed(t, `*.go`) {
		part, _, _ := strings.Cut(file, "/")
		if strings.HasSuffix(file, "_test.go") || !slices.Contains([]string{"cmd", "eventstore", "examples", "inspector", "natsignals"}, part) {
			continue
		}
		for i, line := range strings.Split(readFile(t, file), "\n") {
			for _, text := range counted.FindAllString(line, -1) {
				if !strings.Contains(file, "storetest/") && !strings.Contains(text, "want ") && !strings.Contains(text, " of %d ") && !strings.Contains(text, "/s") && !strings.Contains(text, "Throughput: ") {
					t.Errorf("%s:%d: %s: of 1 it says something wrong", file, i+1, text)
				}
			}
		}
	}
}
