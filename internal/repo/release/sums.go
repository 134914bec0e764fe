package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// writeZip writes to the file what a module proxy would serve of a module in
// a directory of the repository, at a commit or tree.
func writeZip(file, repository, revision, dir string, m module.Version) error {
	if dir == "." {
		dir = ""
	}
	// CreateFromVCS does not take a linked worktree for a repository. What is
	// written in one can be read in the main one.
	common, err := output(repository, "git", "rev-parse", "--path-format=absolute", "--git-common-dir")
	if err != nil {
		return err
	}
	w, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(zip.CreateFromVCS(w, m, filepath.Dir(common), revision, dir), w.Close())
}

// addSums writes into each go.sum what the modules of this repository will be,
// as what was required from a directory had no sum. A module's sum is part of those
// that require it, so they are taken in that order.
func addSums(tree string, mods map[string]modFile, version string) error {
	scratch, err := os.MkdirTemp("", "sums")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	order, err := requiredFirst(mods)
	if err != nil {
		return err
	}
	sums := make(map[string][]string) // lines of a go.sum, by module path
	for _, dir := range order {
		mod := mods[dir]
		file := filepath.Join(tree, dir, "go.sum")
		lines, err := readLines(file)
		if err != nil {
			return err
		}
		for _, r := range mod.Require {
			lines = append(lines, sums[r.Path]...)
		}
		if len(lines) > 0 {
			if err := os.WriteFile(file, []byte(strings.Join(sorted(lines), "\n")+"\n"), 0o644); err != nil {
				return err
			}
		}
		if err := run(tree, "git", "add", "-A"); err != nil {
			return err
		}
		revision, err := output(tree, "git", "write-tree")
		if err != nil {
			return err
		}
		m := module.Version{Path: mod.Module.Path, Version: version}
		zipped := filepath.Join(scratch, "zip")
		if err := writeZip(zipped, tree, revision, dir, m); err != nil {
			return err
		}
		sum, err := dirhash.HashZip(zipped, dirhash.Hash1)
		if err != nil {
			return err
		}
		modSum, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return os.Open(filepath.Join(tree, dir, "go.mod")) })
		if err != nil {
			return err
		}
		sums[m.Path] = []string{fmt.Sprintf("%s %s %s", m.Path, version, sum), fmt.Sprintf("%s %s/go.mod %s", m.Path, version, modSum)}
	}
	return nil
}

// requiredFirst returns the directories of the modules, each after those that
// it requires.
func requiredFirst(mods map[string]modFile) (order []string, err error) {
	dirOf := make(map[string]string)
	for dir, mod := range mods {
		dirOf[mod.Module.Path] = dir
	}
	const begun, done = 1, 2
	state := make(map[string]int)
	var visit func(dir string) error
	visit = func(dir string) error {
		if state[dir] != 0 {
			if state[dir] == begun {
				return fmt.Errorf("%s requires a module that requires it: neither go.sum can know the other's sum", path.Join(dir, "go.mod"))
			}
			return nil
		}
		state[dir] = begun
		for _, r := range mods[dir].Require {
			if required, ok := dirOf[r.Path]; ok {
				if err := visit(required); err != nil {
					return err
				}
			}
		}
		state[dir] = done
		order = append(order, dir)
		return nil
	}
	for _, dir := range slices.Sorted(maps.Keys(mods)) {
		if err := visit(dir); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// sorted orders the lines of a go.sum as the go command does.
func sorted(lines []string) []string {
	text := make(map[module.Version]string)
	var order []module.Version
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		m := module.Version{Path: fields[0], Version: fields[1]}
		if text[m] == "" {
			order = append(order, m)
		}
		text[m] = line
	}
	module.Sort(order)
	lines = lines[:0]
	for _, m := range order {
		lines = append(lines, text[m])
	}
	return lines
}

func readLines(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n"), nil
}
