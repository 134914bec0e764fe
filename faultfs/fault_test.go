//go:build linux

package faultfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example.com/signals/faultfs"
)

// steps are operations of every kind that [faultfs.Changes] counts, with what undoes
// nothing: they may run in any state of a directory that fresh made.
var steps = []struct {
	op faultfs.Op
	do func(dir string) error
}{
	{faultfs.Create, func(dir string) error { return os.WriteFile(dir+"/new", nil, 0o600) }},
	{faultfs.Create, func(dir string) error { return os.Mkdir(dir+"/sub", 0o700) }},
	{faultfs.Write, func(dir string) error {
		return with(dir+"/f", func(f *os.File) error { _, err := f.Write([]byte("x")); return err })
	}},
	{faultfs.Truncate, func(dir string) error { return os.Truncate(dir+"/f", 3) }},
	{faultfs.Allocate, func(dir string) error {
		return with(dir+"/f", func(f *os.File) error { return syscall.Fallocate(int(f.Fd()), 0, 0, 1<<16) })
	}},
	{faultfs.Sync, func(dir string) error { return with(dir+"/f", (*os.File).Sync) }},
	{faultfs.Sync, func(dir string) error {
		return with(dir+"/f", func(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) })
	}},
	{faultfs.SyncDir, func(dir string) error {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		return d.Sync()
	}},
	{faultfs.Link, func(dir string) error { return os.Link(dir+"/f", dir+"/l") }},
	{faultfs.Rename, func(dir string) error { return os.Rename(dir+"/f", dir+"/g") }},
	{faultfs.Remove, func(dir string) error { return os.Remove(dir + "/f") }},
	{faultfs.Remove, func(dir string) error { return syscall.Rmdir(dir + "/d") }},
}

// with opens a file for writing, calls fn and closes it.
func with(path string, fn func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return fn(f)
}

// fresh mounts a file system that Reset returns to one file and one directory.
func fresh(t *testing.T) *faultfs.FS {
	t.Helper()
	fs := faultfs.Start(t)
	f := create(t, fs, "f")
	write(t, f, "data", 0)
	must(t, f.Close())
	must(t, os.Mkdir(filepath.Join(fs.Dir(), "d"), 0o700))
	must(t, fs.Save())
	return fs
}

func TestEveryKindOfOperationIsCountedAndFails(t *testing.T) {
	fs := fresh(t)
	for _, step := range steps {
		must(t, fs.Reset())
		must(t, step.do(fs.Dir()))
		if n, err := fs.Count(faultfs.Changes); n != 1 || err != nil {
			t.Errorf("%v: %d operations were counted, want 1 (%v)", step.op, n, err)
		}
		if n, _ := fs.Count(step.op); n != 1 {
			t.Errorf("%v: %d of its kind were counted, want 1", step.op, n)
		}
		for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
			must(t, fs.Reset())
			must(t, fs.Inject(faultfs.Fault{Ops: step.op, N: 1, Err: errno}))
			if err := step.do(fs.Dir()); !errors.Is(err, errno) {
				t.Errorf("%v returns %v, want %v", step.op, err, errno)
			}
			if err := step.do(fs.Dir()); err != nil {
				t.Errorf("%v fails again, with %v", step.op, err)
			}
		}
	}
}

func TestReadsAndOpensFail(t *testing.T) {
	fs := fresh(t)
	must(t, fs.Inject(faultfs.Fault{Ops: faultfs.Open, N: 1}))
	if _, err := os.Open(filepath.Join(fs.Dir(), "f")); !errors.Is(err, syscall.EIO) {
		t.Errorf("Open returns %v, want EIO", err)
	}
	must(t, fs.Inject(faultfs.Fault{Ops: faultfs.Read, N: 1}))
	if _, err := os.ReadFile(filepath.Join(fs.Dir(), "f")); !errors.Is(err, syscall.EIO) {
		t.Errorf("Read returns %v, want EIO", err)
	}
	want(t, fs, "f", "data")
}

func TestOnlyTheNthOperationFails(t *testing.T) {
	fs := fresh(t)
	f := open(t, fs, "f")
	must(t, fs.Inject(faultfs.Fault{Ops: faultfs.Write, N: 3, Err: syscall.ENOSPC}))
	var failed []int
	for n := 1; n <= 5; n++ {
		if _, err := f.WriteAt([]byte("x"), 0); err != nil {
			failed = append(failed, n)
		}
		must(t, f.Sync()) // not counted
	}
	if !slices.Equal(failed, []int{3}) {
		t.Errorf("writes %v failed, want the third", failed)
	}
	hits, err := fs.Fired()
	must(t, err)
	if len(hits) != 1 || hits[0].String() != "write of f: no space left on device" {
		t.Errorf("it says that %v failed", hits)
	}
}

func TestADiskThatStaysFull(t *testing.T) {
	fs := fresh(t)
	f := open(t, fs, "f")
	must(t, fs.Inject(faultfs.Fault{Ops: faultfs.Write, N: 2, Err: syscall.ENOSPC, Repeat: true}))
	write(t, f, "1", 0)
	for range 3 {
		if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a write to a full disk returns %v", err)
		}
	}
	must(t, fs.Clear())
	write(t, f, "2", 0)
	want(t, fs, "f", "2ata")
}

func TestAFaultOfSomeFilesOnly(t *testing.T) {
	fs := fresh(t)
	must(t, fs.Inject(faultfs.Fault{Ops: faultfs.Create, N: 2, Path: "*-wal"}))
	for name, ok := range map[string]bool{"a": true, "b": true} {
		if err := os.WriteFile(filepath.Join(fs.Dir(), name), nil, 0o600); (err == nil) != ok {
			t.Errorf("creating %s returns %v", name, err)
		}
	}
	create(t, fs, "x-wal")
	if _, err := os.Create(filepath.Join(fs.Dir(), "d", "y-wal")); !errors.Is(err, syscall.EIO) {
		t.Errorf("creating the second one returns %v, want EIO", err)
	}
}

// What fsync(2) of Linux does: the error is reported once, the pages count as
// clean, and nobody can tell from the cache that they are not on the disk.
func TestAfterAFailedSyncTheNextOneIsFineAndTheDataIsGone(t *testing.T) {
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			fs := faultfs.Start(t, opts...)
			f := create(t, fs, "f")
			write(t, f, "old", 0)
			sync(t, f)
			syncDir(t, fs.Dir())
			write(t, f, "new", 0)
			must(t, fs.Inject(faultfs.Fault{Ops: faultfs.Sync, N: 1}))
			if err := f.Sync(); !errors.Is(err, syscall.EIO) {
				t.Fatalf("sync returns %v, want EIO", err)
			}
			sync(t, f)
			want(t, fs, "f", "new") // the cache lies
			wantUnsynced(t, fs)     // so does the bookkeeping of the kernel
			must(t, fs.DropCaches())
			want(t, fs, "f", "old")
			cut(t, fs, faultfs.Tear{Unit: faultfs.Sector, Seed: 1})
			want(t, fs, "f", "old")
		})
	}
}

func TestWhatAFailedSyncLostIsOnTheDiskWhenItIsWrittenAgain(t *testing.T) {
	fs := fresh(t)
	f := open(t, fs, "f")
	write(t, f, strings.Repeat("x", 2*faultfs.Page), 0)
	must(t, fs.Inject(faultfs.Fault{Ops: faultfs.Sync, N: 1}))
	if f.Sync() == nil {
		t.Fatal("sync does not fail")
	}
	write(t, f, "y", faultfs.Page+1) // dirties the second page, with all that is in it
	sync(t, f)
	cut(t, fs, faultfs.Tear{})
	want(t, fs, "f", "data"+strings.Repeat("\x00", faultfs.Page-4)+"xy"+strings.Repeat("x", faultfs.Page-2))
}

func TestAfterAFailedSyncOfADirectoryItsEntriesAreGone(t *testing.T) {
	fs := fresh(t)
	f := create(t, fs, "new")
	sync(t, f)
	must(t, fs.Inject(faultfs.Fault{Ops: faultfs.SyncDir, N: 1}))
	d, err := os.Open(fs.Dir())
	must(t, err)
	defer d.Close()
	if err := d.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync returns %v, want EIO", err)
	}
	must(t, d.Sync())
	cut(t, fs, faultfs.Tear{})
	if names := list(t, fs.Dir()); slices.Contains(names, "new") {
		t.Errorf("%v is left", names)
	}
}

// When the power goes during a sync, nothing of it has been done.
func TestThePowerGoesBeforeTheSync(t *testing.T) {
	fs := fresh(t)
	f := open(t, fs, "f")
	write(t, f, "DATA", 0)
	create(t, fs, "new")
	for _, op := range []faultfs.Op{faultfs.Sync, faultfs.SyncDir} {
		must(t, fs.Inject(faultfs.Fault{Ops: op, N: 1, PowerOff: true}))
		file := f
		if op == faultfs.SyncDir {
			var err error
			file, err = os.Open(fs.Dir())
			must(t, err)
			defer file.Close()
		}
		if file.Sync() == nil {
			t.Errorf("%v succeeds", op)
		}
		cut(t, fs, faultfs.Tear{})
		want(t, fs, "f", "data")
		if names := list(t, fs.Dir()); slices.Contains(names, "new") {
			t.Errorf("%v: %v is left", op, names)
		}
		f = open(t, fs, "f")
		create(t, fs, "new")
	}
}

// The sweep of the package comment: the power goes at each operation in turn.
func TestThePowerGoesAtAnOperation(t *testing.T) {
	fs := fresh(t)
	script := func() error { // replaces a file as one should
		path := filepath.Join(fs.Dir(), "f")
		f, err := os.Create(path + ".tmp")
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.Write([]byte("DATA")); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			return err
		}
		d, err := os.Open(fs.Dir())
		if err != nil {
			return err
		}
		defer d.Close()
		return d.Sync()
	}
	var ops []string
	for n := 1; ; n++ {
		must(t, fs.Reset())
		must(t, fs.Inject(faultfs.Fault{N: n, PowerOff: true}))
		err := script()
		hits, ferr := fs.Fired()
		must(t, ferr)
		if len(hits) == 1 {
			ops = append(ops, hits[0].Op.String())
			if !errors.Is(err, syscall.EIO) {
				t.Errorf("%v: the script returns %v, want EIO", hits, err)
			}
			if _, err := os.Create(filepath.Join(fs.Dir(), "later")); !errors.Is(err, syscall.EIO) {
				t.Errorf("%v: creating a file afterwards returns %v, want EIO", hits, err)
			}
		}
		cut(t, fs, faultfs.Tear{Unit: faultfs.Sector, Seed: uint64(n)})
		if got := read(t, fs, "f"); got != "DATA" && (err == nil || got != "data") {
			t.Errorf("%v: %q is left", hits, got)
		}
		if len(hits) == 0 {
			break
		}
	}
	if want := []string{"create", "write", "sync", "rename", "sync of a directory"}; !slices.Equal(ops, want) {
		t.Errorf("the power went at %q, want %q", ops, want)
	}
}

func TestFaultsThatMakeNoSenseAreRefused(t *testing.T) {
	fs := fresh(t)
	for want, f := range map[string]faultfs.Fault{
		"Fault.N is 0":      {},
		"Fault.Path":        {N: 1, Path: "["},
		"Fault.Ops is":      {N: 1, Ops: 1 << 15},
		"with PowerOff has": {N: 1, PowerOff: true, Repeat: true},
		"neither Err nor":   {N: 1, PowerOff: true, Err: syscall.EIO},
	} {
		if err := fs.Inject(f); err == nil || !strings.HasPrefix(err.Error(), "faultfs: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("Inject(%+v) returns %v; want an error about %q", f, err, want)
		}
	}
	for _, unit := range []int{-1, faultfs.Page + 1} {
		if err := fs.PowerCut(faultfs.Tear{Unit: unit}); err == nil || !strings.Contains(err.Error(), "Tear.Unit is") {
			t.Errorf("PowerCut with a unit of %d returns %v", unit, err)
		}
	}
}
