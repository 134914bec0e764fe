package repo

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestModulePathIsChangedByOneCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("this test builds the core anew; it runs without -short")
	}
	const to = "github.com/acme/signals"
	from := modules(t)["."].Module.Path
	dir := t.TempDir()
	for _, file := range repoFiles(t) {
		data := readFile(t, file)
		copied := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied, []byte(data), info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}

	unformatted := run(t, dir, nil, "gofmt", "-l", ".")
	t.Log(run(t, dir, nil, "make", "module", "MODULE="+to))

	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(data), from) {
			t.Errorf("%s still names %s", strings.TrimPrefix(file, dir), from)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, nil, "go", "build", "./...")
	run(t, dir, nil, "go", "vet", ".")
	run(t, dir, nil, "go", "list", "-deps", "work") // the other modules find each other
	if out := run(t, dir, nil, "gofmt", "-l", "."); out != unformatted {
		t.Errorf("not gofmt-ed any more:\n%s", out)
	}
}
