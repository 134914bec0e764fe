package repo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Commands that the documents tell a reader to run first must not change the
// checkout. What changes it is go.work.sum, where the go command adds the sum
// of each module that it meets in the module cache and does not find there: so
// the file has to know them all, needed or not.
func TestSumsOfAllModulesAreKnown(t *testing.T) {
	out, err := goCommand(t, root, "list", "-m", "-f", "{{if not .Main}}{{with .Replace}}{{else}}{{$.Path}} {{$.Version}}{{end}}{{end}}", "all")
	if err != nil {
		t.Skipf("this test needs the go.mod files of all modules, from the module cache or a proxy: %v", err)
	}
	var sums strings.Builder
	sums.WriteString(readFile(t, "go.work.sum"))
	for _, file := range repoFiles(t) {
		if filepath.Base(file) == "go.sum" && !unlisted[filepath.ToSlash(filepath.Dir(file))] {
			sums.WriteString(readFile(t, file))
		}
	}
	known := "\n" + sums.String()
	for module := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		if module = strings.TrimSpace(module); module == "" {
			continue
		}
		if !strings.Contains(known, "\n"+module+" h1:") {
			t.Errorf("go.work.sum does not know %s; run `go mod download` and commit it", module)
		}
	}
}

func TestFirstCommandsLeaveTheCheckoutClean(t *testing.T) {
	dir := t.TempDir()
	before := make(map[string]string)
	for _, file := range repoFiles(t) {
		data, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue // a link that leads nowhere is not Go's business
		}
		before[file] = string(data)
		to := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"doc", "."}, {"doc", "AsyncSignal"}, {"list", "./..."}, {"list", "work"}} {
		if _, err := goCommand(t, dir, args...); err != nil {
			t.Fatalf("go %s: %v", strings.Join(args, " "), err)
		}
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if was, ok := before[filepath.ToSlash(rel)]; !ok || was != string(data) {
			t.Errorf("%s has changed, or is new", rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goCommand runs the go command without the flags of this test's environment.
func goCommand(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=")
	out, err := cmd.Output()
	return string(out), err
}
