package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestReferenceIsUpToDate(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("this test needs the go command: %v", err)
	}
	root := filepath.Join("..", "..", "..")
	packages, err := publicPackages(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range packages {
		// The go command reuses the result of a test while what the test itself
		// has opened is the same: a new file is a reason to run again.
		_, _ = os.ReadDir(pkg.Dir)
	}
	want, err := generate(packages)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, reference))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	gotLines, wantLines := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := 0; i < len(gotLines) && i < len(wantLines); i++ {
		if !bytes.Equal(gotLines[i], wantLines[i]) {
			t.Fatalf("%s:%d differs from the doc comments, run `make api`:\n- %s\n+ %s",
				reference, i+1, gotLines[i], wantLines[i])
		}
	}
	t.Fatalf("%s has %d lines, the doc comments give %d; run `make api`", reference, len(gotLines), len(wantLines))
}
