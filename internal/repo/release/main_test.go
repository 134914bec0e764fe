package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhatIsNoVersionIsRefused(t *testing.T) {
	for _, text := range []string{"v0.1.0", "v1.2.3-rc.1"} {
		if err := checkVersion(text); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"", "0.1.0", "v1", "v1.2", "v01.2.3", "v1.2.3.4", "v1.2.3+meta", "v1.2.3-01", "v1.2.3-", "v1.2.3 ", "--help"} {
		if err := checkVersion(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

// identify lets git commit where nobody has told it who does.
func identify(t *testing.T) {
	t.Helper()
	for key, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
		"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com", "GOWORK": "", "GOFLAGS": "-buildvcs=false",
	} {
		t.Setenv(key, value)
	}
}

// repository makes a repository of two modules, one of which requires the other.
func repository(t *testing.T) string {
	t.Helper()
	identify(t)
	dir := t.TempDir()
	for file, text := range map[string]string{
		"CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A.\n",
		"go.mod":       "module example.com/a\n\ngo 1.26.0\n",
		"a.go":         "package a\n\nfunc A() {}\n",
		"go.work":      "go 1.26.0\n\nuse (\n\t.\n\t./b\n)\n",
		"b/go.mod":     "module example.com/a/b\n\ngo 1.26.0\n\nrequire example.com/a v0.0.0\n\nreplace example.com/a => ../\n",
		"c/go.mod":     "module example.com/a/c\n\ngo 1.26.0\n", // outside the workspace, as bench
		"c/c.go":       "package c\n",
		"b/b.go":       "package b\n\nimport \"example.com/a\"\n\nfunc B() { a.A() }\n",
	} {
		write(t, dir, file, text)
	}
	git(t, dir, "init", "-q", "-b", "main")
	commit(t, dir)
	return dir
}

func write(t *testing.T, dir, file, text string) {
	t.Helper()
	name := filepath.Join(dir, file)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := output(dir, "git", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func commit(t *testing.T, dir string) {
	t.Helper()
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "x")
}

func prepare(dir, version string) (string, error) {
	var out strings.Builder
	r := release{dir: dir, version: version, today: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), out: &out}
	err := r.prepare()
	return out.String(), err
}

func TestReleaseIsTaggedBesideTheBranch(t *testing.T) {
	dir := repository(t)
	out, err := prepare(dir, "v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "no API to compare with") {
		t.Errorf("it says nothing of the API:\n%s", out)
	}
	if got := git(t, dir, "tag", "--list"); got != "b/v0.1.0\nc/v0.1.0\nv0.1.0" {
		t.Errorf("tags are %s", got)
	}
	if got := git(t, dir, "show", "b/v0.1.0:b/go.mod"); strings.Contains(got, "replace") || !strings.Contains(got, "require example.com/a v0.1.0") {
		t.Errorf("released was\n%s", got)
	}
	if got := git(t, dir, "show", "b/v0.1.0:b/go.sum"); strings.Count(got, "example.com/a v0.1.0") != 2 || strings.Contains(got, "example.com/a/b") {
		t.Errorf("the sums that b needs are\n%s", got)
	}
	if got := git(t, dir, "show", "main:b/go.mod"); !strings.Contains(got, "replace") {
		t.Errorf("the branch has\n%s", got)
	}
	for _, commit := range []string{"main", "v0.1.0"} {
		if got := git(t, dir, "show", commit+":CHANGELOG.md"); !strings.Contains(got, "## [Unreleased]\n\n## [0.1.0] - 2026-01-02\n\n### Added\n\n- A.") {
			t.Errorf("the changelog of %s is\n%s", commit, got)
		}
	}
	if got := git(t, dir, "status", "--porcelain"); got != "" {
		t.Errorf("the working tree has\n%s", got)
	}
	if got := git(t, dir, "worktree", "list"); strings.Contains(got, "\n") {
		t.Errorf("worktrees are left:\n%s", got)
	}
}

// Nobody serves a version that is only prepared, and it has to build all the same.
func TestReleaseLoadsBeforeItIsPublished(t *testing.T) {
	dir := repository(t)
	t.Setenv("GOPROXY", "off")
	if _, err := prepare(dir, "v0.1.0"); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "checkout", "-q", "v0.1.0")
	for _, args := range [][]string{{"list", "-m", "all"}, {"build", "work"}} {
		if err := run(dir, "go", args...); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatCannotBeReleasedIsRefusedAndNothingChanges(t *testing.T) {
	for _, test := range []struct {
		name, version, want string
		before              func(t *testing.T, dir string)
	}{
		{"version", "0.1.0", "is no version", nil},
		{"major version", "v2.0.0", "must have paths that end in /v2", nil},
		{"dirty tree", "v0.1.0", "not clean", func(t *testing.T, dir string) { write(t, dir, "new.go", "package a\n") }},
		{"tag", "v0.1.0", "a tag b/v0.1.0 already", func(t *testing.T, dir string) { git(t, dir, "tag", "b/v0.1.0") }},
		{"empty changelog", "v0.1.0", "[Unreleased] is empty", func(t *testing.T, dir string) {
			write(t, dir, "CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n## [0.0.1]\n\n- A.\n")
			commit(t, dir)
		}},
		{"does not build", "v0.1.0", "does not build", func(t *testing.T, dir string) {
			write(t, dir, "b/c.go", "package b\n\nvar _ int = \"\"\n")
			commit(t, dir)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := repository(t)
			if test.before != nil {
				test.before(t, dir)
			}
			state := func() string { return git(t, dir, "show-ref") + git(t, dir, "worktree", "list") }
			before := state()
			_, err := prepare(dir, test.version)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if after := state(); after != before {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
		})
	}
}

func TestAPIIsComparedWithTheLastRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("this test builds apidiff; it runs without -short")
	}
	if err := run(t.TempDir(), "go", "mod", "download", strings.Replace(apidiff, "/cmd/apidiff", "", 1)); err != nil {
		t.Skipf("this test needs apidiff from a module proxy: %v", err)
	}
	dir := repository(t)
	if _, err := prepare(dir, "v0.1.0"); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a.go", "package a\n\nfunc A(...int) {}\n")
	write(t, dir, "CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n- B.\n\n## [0.1.0]\n\n- A.\n")
	commit(t, dir)
	out, err := prepare(dir, "v0.1.1")
	if err == nil || !strings.Contains(err.Error(), "take the next minor version") || !strings.Contains(out, "A: changed from func() to func(...int)") {
		t.Errorf("a patch version got %v\n%s", err, out)
	}
	if out, err = prepare(dir, "v0.2.0"); err != nil {
		t.Errorf("a minor version got %v\n%s", err, out)
	}
	if tags := strings.Fields(git(t, dir, "tag", "--list")); !slices.Contains(tags, "b/v0.2.0") {
		t.Errorf("tags are %s", tags)
	}
}
