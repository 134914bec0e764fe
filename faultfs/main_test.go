package faultfs_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"example.com/signals/faultfs"
)

// modes are the two ways in which the kernel can treat files.
var modes = map[string][]faultfs.Option{
	"direct":     nil,
	"page cache": {faultfs.PageCache()},
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// create makes a file that is closed with the test, if not before.
func create(t testing.TB, fs *faultfs.FS, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(fs.Dir(), name))
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func open(t testing.TB, fs *faultfs.FS, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(fs.Dir(), name), os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func write(t testing.TB, f *os.File, data string, off int64) {
	t.Helper()
	_, err := f.WriteAt([]byte(data), off)
	must(t, err)
}

func sync(t testing.TB, f *os.File) {
	t.Helper()
	must(t, f.Sync())
}

func syncDir(t testing.TB, dir string) {
	t.Helper()
	d, err := os.Open(dir)
	must(t, err)
	defer d.Close()
	must(t, d.Sync())
}

func cut(t testing.TB, fs *faultfs.FS, tear faultfs.Tear) {
	t.Helper()
	must(t, fs.PowerCut(tear))
}

func read(t testing.TB, fs *faultfs.FS, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fs.Dir(), name))
	must(t, err)
	return string(data)
}

// want fails the test unless a file has such a content.
func want(t testing.TB, fs *faultfs.FS, name, content string) {
	t.Helper()
	if got := read(t, fs, name); got != content {
		t.Errorf("%s holds %d bytes, %.60q, want %d, %.60q", name, len(got), got, len(content), content)
	}
}

func wantUnsynced(t testing.TB, fs *faultfs.FS, paths ...string) {
	t.Helper()
	got, err := fs.Unsynced()
	must(t, err)
	if !slices.Equal(got, paths) {
		t.Errorf("a power cut would lose %q, want %q", got, paths)
	}
}

// list returns the names in a directory.
func list(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
