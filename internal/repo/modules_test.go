package repo

import (
	"encoding/json"
	"path"
	"strings"
	"testing"
)

const goVersion = "1.26.0"

// unlisted are the modules that stay out of go.work: the peers of bench would
// double what every other command loads.
var unlisted = map[string]bool{"bench": true}

func TestModulesAgree(t *testing.T) {
	mods := modules(t)
	core := mods["."].Module.Path
	for dir, mod := range mods {
		if mod.Go != goVersion {
			t.Errorf("%s/go.mod says go %s, want %s", dir, mod.Go, goVersion)
		}
		if want := path.Join(core, dir); mod.Module.Path != want {
			t.Errorf("%s/go.mod is module %s, want %s", dir, mod.Module.Path, want)
		}
		replaced := make(map[string]string)
		for _, r := range mod.Replace {
			replaced[r.Old.Path] = r.New.Path
		}
		for _, r := range mod.Require {
			// Without its replace a module does not build with GOWORK=off.
			rest, ok := strings.CutPrefix(r.Path+"/", core+"/")
			if !ok {
				continue
			}
			want := path.Clean(rest)
			if by := replaced[r.Path]; by == "" || path.Join(dir, by) != want {
				t.Errorf("%s/go.mod requires %s and replaces it by %q, want the directory %s of this repository",
					dir, r.Path, by, want)
			}
		}
	}
}

func TestWorkspaceListsEveryModule(t *testing.T) {
	var work struct {
		Go  string
		Use []struct{ DiskPath string }
	}
	if err := json.Unmarshal([]byte(run(t, root, nil, "go", "work", "edit", "-json")), &work); err != nil {
		t.Fatal(err)
	}
	if work.Go != goVersion {
		t.Errorf("go.work says go %s, want %s", work.Go, goVersion)
	}
	listed := make(map[string]bool)
	for _, use := range work.Use {
		listed[path.Clean(use.DiskPath)] = true
	}
	mods := modules(t)
	for dir := range mods {
		if listed[dir] == unlisted[dir] {
			t.Errorf("go.work lists module %s: %t, want %t", dir, listed[dir], !unlisted[dir])
		}
	}
	for dir := range listed {
		if _, ok := mods[dir]; !ok {
			t.Errorf("go.work lists %s, which is no module", dir)
		}
	}
}

// Whoever imports the core gets nothing else with it, and neither do those who
// run its tests.
func TestCoreNeedsOnlyTheStandardLibrary(t *testing.T) {
	core := modules(t)["."].Module.Path
	out := run(t, root, []string{"GOWORK=off"}, "go", "list", "-deps", "-test", "-f",
		"{{if not .Standard}}{{.ImportPath}}{{end}}", "./...")
	found := false
	for pkg := range strings.Lines(out) {
		// "path", "path [core.test]", "path_test [core.test]", "path.test"
		name, _, _ := strings.Cut(strings.TrimSpace(pkg), " ")
		name = strings.TrimSuffix(strings.TrimSuffix(name, ".test"), "_test")
		found = found || name == core
		if name != core && !strings.HasPrefix(name, core+"/") {
			t.Errorf("the core or one of its tests imports %s", pkg)
		}
	}
	if !found {
		t.Errorf("go list names no package %s:\n%s", core, out)
	}
}
