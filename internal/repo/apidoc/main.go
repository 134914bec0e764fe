// Command apidoc writes docs/api_reference.md, the reference of every public
// package of the core module, from the doc comments. Run it with make api.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// reference is the file that is written, relative to the root of the module.
const reference = "docs/api_reference.md"

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "apidoc:", err)
		os.Exit(1)
	}
}

func write() error {
	packages, err := publicPackages(".")
	if err != nil {
		return err
	}
	text, err := generate(packages)
	if err != nil {
		return err
	}
	return os.WriteFile(reference, text, 0o644)
}

// A listed is a package as go list describes it.
type listed struct {
	Dir, ImportPath, Name              string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Module                             struct{ Dir string }
}

// publicPackages returns the packages of the module in dir that others can
// import, the one at its root first.
func publicPackages(dir string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-json=Dir,ImportPath,Name,GoFiles,TestGoFiles,XTestGoFiles,Module", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	var public []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var pkg listed
		if err := dec.Decode(&pkg); err != nil {
			return nil, err
		}
		if pkg.Name != "main" && !strings.Contains(pkg.ImportPath+"/", "/internal/") {
			public = append(public, pkg)
		}
	}
	return public, nil
}

func generate(packages []listed) ([]byte, error) {
	r := newRenderer()
	for _, pkg := range packages {
		if err := r.load(pkg); err != nil {
			return nil, err
		}
	}
	return r.render(), nil
}

// linkTo returns the link from the reference to a file.
func linkTo(root, file string) string {
	link, err := filepath.Rel(filepath.Join(root, filepath.Dir(reference)), file)
	if err != nil {
		panic(err) // go list gives absolute paths only
	}
	return filepath.ToSlash(link)
}
