package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

const apidiff = "golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4"

// compareAPI prints how the API of each library differs from the last release,
// and refuses an incompatible one where the version promises that there is none.
func (r *release) compareAPI(last, tree string, mods map[string]modFile) error {
	if last == "" {
		fmt.Fprintf(r.out, "no release before %s: there is no API to compare with\n", r.version)
		return nil
	}
	before, remove, err := r.worktree(last)
	if err != nil {
		return err
	}
	defer remove()
	oldMods, err := modules(before)
	if err != nil {
		return err
	}

	exports, err := os.MkdirTemp("", "api")
	if err != nil {
		return err
	}
	defer os.RemoveAll(exports)
	export := func(top, dir, module, name string) (string, error) {
		file := filepath.Join(exports, name)
		return file, run(filepath.Join(top, dir), "go", "run", apidiff, "-m", "-w", file, module)
	}

	broken := false
	for _, dir := range slices.Sorted(maps.Keys(oldMods)) {
		module := oldMods[dir].Module.Path
		if library, err := isLibrary(before, dir); err != nil {
			return err
		} else if !library {
			continue
		}
		if mods[dir].Module.Path != module {
			fmt.Fprintf(r.out, "%s: gone since %s\n", module, last)
			broken = true
			continue
		}
		old, err := export(before, dir, module, "old")
		if err != nil {
			return err
		}
		now, err := export(tree, dir, module, "new")
		if err != nil {
			return err
		}
		diff, err := output(tree, "go", "run", apidiff, "-m", old, now)
		if err != nil {
			return err
		}
		if diff == "" {
			diff = "no changes"
		}
		fmt.Fprintf(r.out, "%s, since %s:\n%s\n", module, last, diff)
		broken = broken || strings.Contains(diff, "Incompatible changes:")
	}
	if broken && !mayBreak(r.version, last) {
		return fmt.Errorf("the API is incompatible with %s (see above), which %s must not be; take the next %s version",
			last, r.version, map[bool]string{true: "minor", false: "major"}[semver.Major(r.version) == "v0"])
	}
	return nil
}

// isLibrary reports whether a module has a package that is for others to import.
func isLibrary(top, dir string) (bool, error) {
	if dir == "bench" || dir == "examples" || strings.HasPrefix(dir, "examples/") {
		return false, nil // by docs/compatibility.md
	}
	// Of a module outside the workspace, which is bench, go list knows no names.
	packages, err := output(filepath.Join(top, dir), "go", "list", "-e", "-f", `{{if and .Name (ne .Name "main")}}{{.ImportPath}}{{end}}`, "./...")
	if err != nil {
		return false, err
	}
	for pkg := range strings.FieldsSeq(packages) {
		if !strings.Contains(pkg+"/", "/internal/") {
			return true, nil
		}
	}
	return false, nil
}
