package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// A release is prepared in a worktree of its own. Until all checks have passed,
// branch and tags of the repository are left alone.
type release struct {
	dir     string // the top of the repository
	version string
	today   time.Time
	out     io.Writer
}

func (r *release) prepare() error {
	if err := checkVersion(r.version); err != nil {
		return err
	}
	last, err := r.check()
	if err != nil {
		return err
	}
	tree, remove, err := r.worktree("HEAD")
	if err != nil {
		return err
	}
	defer remove()

	file := filepath.Join(tree, "CHANGELOG.md")
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changelog, err := released(string(old), r.version, r.today.Format(time.DateOnly))
	if err != nil {
		return err
	}
	if changelog != string(old) {
		if err := os.WriteFile(file, []byte(changelog), 0o644); err != nil {
			return err
		}
		if err := run(tree, "git", "commit", "-q", "-a", "-m", "Changelog: "+r.version); err != nil {
			return err
		}
	}
	branch, err := output(tree, "git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}

	mods, err := modules(tree)
	if err != nil {
		return err
	}
	if err := r.compareAPI(last, tree, mods); err != nil {
		return err
	}
	if err := require(tree, mods, r.version); err != nil {
		return err
	}
	if err := addSums(tree, mods, r.version); err != nil {
		return err
	}
	if err := run(tree, "go", "list", "-export", "-f", "{{/* compiles, and links nothing */}}", "work"); err != nil {
		return fmt.Errorf("what would be released does not build: %w", err)
	}
	if err := run(tree, "git", "commit", "-q", "-a", "--allow-empty", "-m", "Release "+r.version); err != nil {
		return err
	}
	return r.publish(tree, branch, mods)
}

// check refuses what cannot be released, and returns the highest version below
// it that was, or "".
func (r *release) check() (string, error) {
	dirty, err := output(r.dir, "git", "status", "--porcelain")
	if err != nil {
		return "", err
	}
	if dirty != "" {
		return "", fmt.Errorf("the working tree is not clean; commit or remove\n%s", dirty)
	}
	mods, err := modules(r.dir)
	if err != nil {
		return "", err
	}
	core := mods["."].Module.Path
	if major := semver.Major(r.version); semver.Compare(major, "v1") > 0 && path.Base(core) != major {
		return "", fmt.Errorf("modules of %s must have paths that end in /%s, and %s does not", r.version, major, core)
	}
	tags, err := output(r.dir, "git", "tag", "--list")
	if err != nil {
		return "", err
	}
	var last string
	for tag := range strings.FieldsSeq(tags) {
		for dir := range mods {
			if tag == path.Join(dir, r.version) {
				return "", fmt.Errorf("there is a tag %s already; a version that was published cannot be changed, take the next", tag)
			}
		}
		if checkVersion(tag) == nil && semver.Compare(tag, r.version) < 0 && semver.Compare(tag, last) > 0 {
			last = tag // an empty one is below all others
		}
	}
	return last, nil
}

// publish makes the tags, and moves the branch to the commit of the changelog.
func (r *release) publish(tree, branch string, mods map[string]modFile) error {
	var tags []string
	for _, dir := range slices.Sorted(maps.Keys(mods)) {
		tag := path.Join(dir, r.version)
		err := run(tree, "git", "tag", "-a", "-m", tag, tag)
		if err != nil {
			return undo(tree, tags, err)
		}
		tags = append(tags, tag)
	}
	if err := run(r.dir, "git", "merge", "-q", "--ff-only", branch); err != nil {
		return undo(tree, tags, err)
	}
	fmt.Fprintf(r.out, "prepared %s, not pushed; to publish it:\n  git push --atomic origin HEAD %s\n", r.version, strings.Join(tags, " "))
	fmt.Fprintf(r.out, "to give it up:\n  git tag -d %s\n", strings.Join(tags, " "))
	return nil
}

func undo(tree string, tags []string, err error) error {
	if len(tags) == 0 {
		return err
	}
	if failed := run(tree, "git", append([]string{"tag", "-d"}, tags...)...); failed != nil {
		return fmt.Errorf("%w; and the tags %s are left: %w", err, strings.Join(tags, " "), failed)
	}
	return err
}

// worktree checks a commit out, beside the repository's own working tree.
func (r *release) worktree(commit string) (dir string, remove func(), err error) {
	parent, err := os.MkdirTemp("", "release")
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(parent, "tree")
	if err := run(r.dir, "git", "worktree", "add", "-q", "--detach", dir, commit); err != nil {
		_ = os.RemoveAll(parent)
		return "", nil, err
	}
	return dir, func() {
		if err := run(r.dir, "git", "worktree", "remove", "--force", dir); err != nil {
			fmt.Fprintln(r.out, "release:", err)
		}
		_ = os.RemoveAll(parent)
	}, nil
}

// modFile is what `go mod edit -json` prints of a go.mod.
type modFile struct {
	Module  struct{ Path string }
	Require []struct{ Path, Version string }
	Replace []struct {
		Old, New struct{ Path, Version string }
	}
}

// modules returns the go.mod files of the repository by their directory.
func modules(top string) (map[string]modFile, error) {
	files, err := output(top, "git", "ls-files", "--", "go.mod", "*/go.mod")
	if err != nil {
		return nil, err
	}
	mods := make(map[string]modFile)
	for file := range strings.FieldsSeq(files) {
		text, err := output(top, "go", "mod", "edit", "-json", file)
		if err != nil {
			return nil, err
		}
		var mod modFile
		if err := json.Unmarshal([]byte(text), &mod); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		mods[path.Dir(file)] = mod
	}
	if mods["."].Module.Path == "" {
		return nil, fmt.Errorf("run this at the top of the repository: there is no go.mod under version control")
	}
	return mods, nil
}

// require makes the modules require each other at the version, and drops the
// replaces by which they found each other. A replace of another module would
// have no effect on users, who would build something else: an error.
//
// The workspace then replaces that one version by the directories, since nobody
// serves it before it is published, and loading all modules asks for it.
func require(tree string, mods map[string]modFile, version string) error {
	core := mods["."].Module.Path
	own := func(module string) bool { return module == core || strings.HasPrefix(module, core+"/") }
	for dir, mod := range mods {
		if err := run(tree, "go", "work", "edit", "-replace="+mod.Module.Path+"@"+version+"=./"+dir); err != nil {
			return err
		}
		args := []string{"mod", "edit"}
		for _, r := range mod.Require {
			if own(r.Path) {
				args = append(args, "-require="+r.Path+"@"+version)
			}
		}
		for _, r := range mod.Replace {
			if !own(r.Old.Path) {
				return fmt.Errorf("%s/go.mod replaces %s, which does not hold for those who import it", dir, r.Old.Path)
			}
			args = append(args, "-dropreplace="+r.Old.Path)
		}
		if len(args) == 2 {
			continue
		}
		if err := run(tree, "go", append(args, path.Join(dir, "go.mod"))...); err != nil {
			return err
		}
	}
	return nil
}

func run(dir, name string, args ...string) error {
	_, err := output(dir, name, args...)
	return err
}

func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out, &stderr)
	}
	return strings.TrimSpace(string(out)), nil
}
