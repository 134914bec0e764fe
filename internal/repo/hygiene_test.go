package repo

import (
	"regexp"
	"strings"
	"testing"
)

// The tests of this file write what they look for in pieces, so that they do
// not find themselves.

// TestNoPathsOfAMachine finds what works only where it was written.
func TestNoPathsOfAMachine(t *testing.T) {
	paths := []string{`/ro` + `ot`, `/ho` + `me/\w+`, `/Us` + `ers/\w+`, `[A-Z]:\\Us` + `ers\\\w+`}
	if strings.Count(root, "/") > 1 { // a checkout in /src says nothing about "/src/"
		paths = append(paths, regexp.QuoteMeta(root))
	}
	somewhere := regexp.MustCompile(`(^|[^\w./:-])(` + strings.Join(paths, "|") + `)[/\\]`)
	eachLine(t, func(file, line string, number int) {
		if match := somewhere.FindString(line); match != "" {
			t.Errorf("%s:%d: a path of some machine: %s", file, number, match)
		}
	})
}

// TestNoRegistryHosts holds the repository to whatever registries its users
// have configured.
func TestNoRegistryHosts(t *testing.T) {
	hosts := []string{"proxy.go" + "lang.org", "sum.go" + "lang.org", "registry.np" + "mjs.org", "deb.de" + "bian.org"}
	eachLine(t, func(file, line string, number int) {
		for _, host := range hosts {
			if strings.Contains(line, host) {
				t.Errorf("%s:%d: names the registry %s", file, number, host)
			}
		}
	})
}

// eachLine calls fn for every line of every text file of the repository.
func eachLine(t *testing.T, fn func(file, line string, number int)) {
	t.Helper()
	for _, file := range repoFiles(t) {
		data := readFile(t, file)
		if !isText(data) {
			continue
		}
		number := 0
		for line := range strings.Lines(data) {
			number++
			fn(file, line, number)
		}
	}
}
