package repo

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	required   = regexp.MustCompile(`-require=(\S+)@v0\.0\.0`)
	replacedBy = regexp.MustCompile(`-replace=([^\s=]+)=\.\./signals/?(\S*)`)
)

// forTests are the modules that nobody requires but the tests of others.
var forTests = map[string]bool{"faultfs": true, "eventstore/storetest/heavy": true}

// What a document tells to require from a clone can be tidied there. The replaces of
// a module count for nothing in the one that requires it, so the lines must have
// them all: also those for its tests, which go mod tidy looks for.
func TestModulesCanBeRequiredFromAClone(t *testing.T) {
	mods := modules(t)
	core := mods["."].Module.Path
	dirOf := func(module string) string { return strings.TrimPrefix(strings.TrimPrefix(module, core), "/") }
	told := make(map[string]bool)
	for _, doc := range documents(t) {
		for _, b := range doc.blocks {
			replaced := map[string]bool{core: true} // the first lines of Install do that
			for _, m := range replacedBy.FindAllStringSubmatch(b.text, -1) {
				if dirOf(m[1]) != m[2] {
					t.Errorf("%s:%d: %s is in the directory %q of a clone, not in %q", doc.file, b.line, m[1], dirOf(m[1]), m[2])
				}
				replaced[m[1]] = true
			}
			for _, m := range required.FindAllStringSubmatch(b.text, -1) {
				dir := dirOf(m[1])
				mod, ok := mods[path.Clean(dir)]
				if !ok {
					t.Errorf("%s:%d: there is no module %s", doc.file, b.line, m[1])
				}
				told[dir] = true
				if !replaced[m[1]] {
					t.Errorf("%s:%d: %s is required and not replaced", doc.file, b.line, m[1])
				}
				for _, r := range mod.Replace {
					if !replaced[r.Old.Path] {
						t.Errorf("%s:%d: %s needs -replace=%s=../signals/%s as well", doc.file, b.line, m[1], r.Old.Path, dirOf(r.Old.Path))
					}
				}
			}
		}
	}
	for dir := range mods {
		first, _, _ := strings.Cut(dir, "/")
		switch first {
		case ".", "bench", "cmd", "examples", "internal":
			continue
		}
		if !told[dir] && !forTests[dir] {
			t.Errorf("no document tells how to require %s from a clone", dir)
		}
	}
}
