package repo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// root is the top of the repository, seen from this package.
var root = func() string {
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		panic(err)
	}
	return dir
}()

// run runs a command in dir and returns its standard output. It skips the test
// if there is no such command.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("this test needs %s: %v", name, err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, &stderr)
	}
	return string(out)
}

var listFiles = sync.OnceValues(func() ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	files := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	slices.Sort(files)

	// The go command reuses the result of a test while what the test itself
	// has opened is the same. Of git it knows nothing, so open the
	// directories: a new file is a reason to run again.
	seen := make(map[string]bool)
	for _, file := range files {
		if dir := filepath.Dir(file); !seen[dir] {
			seen[dir] = true
			_, _ = os.ReadDir(filepath.Join(root, dir))
		}
	}
	return slices.DeleteFunc(slices.Compact(files), func(file string) bool {
		_, err := os.Lstat(filepath.Join(root, file))
		return errors.Is(err, fs.ErrNotExist) // deleted, and the deletion not committed yet
	}), nil
})

// repoFiles returns the files of the repository, those that are new and not
// ignored included, relative to root and with slashes. It skips the test where
// they cannot be told from others.
func repoFiles(t *testing.T) []string {
	t.Helper()
	files, err := listFiles()
	if err != nil {
		t.Skipf("this test needs git and a checkout: %v", err)
	}
	return files
}

// filesNamed returns those files of the repository whose base name matches.
func filesNamed(t *testing.T, pattern string) []string {
	t.Helper()
	var matching []string
	for _, file := range repoFiles(t) {
		ok, err := filepath.Match(pattern, filepath.Base(file))
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			matching = append(matching, file)
		}
	}
	return matching
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// isText reports whether data looks like text, in the way git does.
func isText(data string) bool { return !strings.Contains(data[:min(len(data), 8000)], "\x00") }

// modFile is what `go mod edit -json` prints of a go.mod.
type modFile struct {
	Module  struct{ Path string }
	Go      string
	Require []struct{ Path, Version string }
	Replace []struct {
		Old, New struct{ Path, Version string }
	}
}

// modules returns the go.mod files of the repository by their directory.
func modules(t *testing.T) map[string]modFile {
	t.Helper()
	mods := make(map[string]modFile)
	for _, file := range filesNamed(t, "go.mod") {
		var mod modFile
		out := run(t, root, nil, "go", "mod", "edit", "-json", file)
		if err := json.Unmarshal([]byte(out), &mod); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		mods[filepath.ToSlash(filepath.Dir(file))] = mod
	}
	if len(mods) == 0 {
		t.Fatal("no go.mod found")
	}
	return mods
}
