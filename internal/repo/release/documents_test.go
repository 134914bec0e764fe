package main

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var source = regexp.MustCompile(`(?m)^<!-- from ([^\s#]+)(?:#\S+)? -->$`)

// buildDocuments compiles the code that the documents show against the release,
// and runs the first program that a reader is told to write. The code of each
// module goes to a module outside, which requires what that one does: the
// versions are then those that are in the module cache.
func (o *outside) buildDocuments(t *testing.T) {
	docs, err := filepath.Glob(filepath.Join(o.repo, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string][]string) // files by the directory of their module
	for _, doc := range append(docs, filepath.Join(o.repo, "README.md")) {
		for _, m := range source.FindAllStringSubmatch(read(t, doc), -1) {
			dir, file := o.moduleOf(m[1]), m[1]
			switch {
			case slices.Contains(shown[dir], file):
			case o.insideOnly(t, dir, path.Dir(file)):
				t.Logf("%s uses internal packages of another module: it cannot be compiled outside", file)
			default:
				shown[dir] = append(shown[dir], file)
			}
		}
	}
	if len(shown) < 5 {
		t.Fatalf("the documents show code of %q; there is more", slices.Sorted(maps.Keys(shown)))
	}
	for _, dir := range slices.Sorted(maps.Keys(shown)) {
		at := path.Join("shown", dir)
		write(t, o.dir, path.Join(at, "go.mod"), read(t, filepath.Join(o.repo, dir, "go.mod")))
		args := []string{"mod", "edit", "-module=" + path.Join(outsidePath, at)}
		if library, err := isLibrary(o.repo, dir); err != nil {
			t.Fatal(err)
		} else if library {
			args = append(args, "-require="+o.mods[dir].Module.Path+"@"+o.version)
		}
		o.run(t, filepath.Join(o.dir, at), "go", args...)
		copied := make(map[string]bool)
		for todo := shown[dir]; len(todo) > 0; todo = todo[1:] {
			if !copied[todo[0]] {
				copied[todo[0]] = true
				todo = append(todo, o.copyFile(t, dir, todo[0])...)
			}
		}
		o.run(t, filepath.Join(o.dir, at), "go", "vet", "./...")
	}

	printed := o.run(t, filepath.Join(o.dir, "shown", "examples"), "go", "run", "./internal/docs/first")
	if shown := read(t, filepath.Join(o.repo, "docs", "getting_started.md")); printed == "" || !strings.Contains(shown, "\n```text\n"+printed+"```\n") {
		t.Errorf("the first program prints\n%sand docs/getting_started.md says something else", printed)
	}
}

// moduleOf returns the directory of the module that has a file.
func (o *outside) moduleOf(file string) string {
	dir := path.Dir(file)
	for o.mods[dir].Module.Path == "" {
		dir = path.Dir(dir) // ends with ".", which is the core
	}
	return dir
}

// copyFile copies a file into the module outside, and returns what it cannot do
// without: of examples/, which nobody outside can import, the rest of its package
// and the packages that it imports.
func (o *outside) copyFile(t *testing.T, dir, file string) (needs []string) {
	text := read(t, filepath.Join(o.repo, file))
	if dir == "examples" || strings.HasPrefix(dir, "examples/") {
		packages := []string{path.Dir(file)}
		if !strings.HasSuffix(file, ".go") { // what is embedded
			write(t, o.dir, path.Join("shown", file), text)
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		own := o.mods[dir].Module.Path + "/"
		for _, imported := range parsed.Imports {
			pkg, err := strconv.Unquote(imported.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if rest, ok := strings.CutPrefix(pkg, own); ok {
				packages = append(packages, path.Join(dir, rest))
			}
		}
		for _, pkg := range packages {
			entries, err := os.ReadDir(filepath.Join(o.repo, pkg))
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				name := entry.Name()
				if !entry.IsDir() && !strings.HasSuffix(name, "_test.go") && name != "go.mod" && name != "go.sum" {
					needs = append(needs, path.Join(pkg, name))
				}
			}
		}
		text = strings.ReplaceAll(text, `"`+own, `"`+path.Join(outsidePath, "shown", dir)+"/")
	}
	write(t, o.dir, path.Join("shown", file), text)
	return needs
}

// insideOnly reports whether a package of the module in dir imports an internal
// package of another module of the repository.
func (o *outside) insideOnly(t *testing.T, dir, pkg string) bool {
	files, err := filepath.Glob(filepath.Join(o.repo, pkg, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	own := o.mods[dir].Module.Path + "/"
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			imported := strings.Trim(i.Path.Value, `"`)
			if strings.HasPrefix(imported, o.mods["."].Module.Path+"/") && strings.Contains(imported, "/internal/") && !strings.HasPrefix(imported, own) {
				return true
			}
		}
	}
	return false
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
