//go:build linux

package faultfs_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example.com/signals/faultfs"
	"golang.org/x/sys/unix"
)

// As SQLite uses its -shm file: mapped by two descriptors, read and written.
func TestSharedMappings(t *testing.T) {
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			fs := faultfs.Start(t, opts...)
			f := create(t, fs, "f")
			must(t, f.Truncate(32<<10))
			write(t, f, "by a write", 0)
			a := mmap(t, f)
			b := mmap(t, open(t, fs, "f"))
			if got := string(b[:10]); got != "by a write" {
				t.Errorf("a mapping shows %q of what was written", got)
			}
			copy(a[20000:], "by a mapping")
			if got := string(b[20000:20012]); got != "by a mapping" {
				t.Errorf("the other mapping shows %q", got)
			}
			must(t, unix.Msync(a, unix.MS_SYNC))
			got := make([]byte, 12)
			_, err := f.ReadAt(got, 20000)
			must(t, err)
			if string(got) != "by a mapping" {
				t.Errorf("a read shows %q", got)
			}
			n, err := fs.Count(faultfs.Write)
			must(t, err)
			if n != 1 {
				t.Errorf("%d writes were counted, want the one that was called", n)
			}
			must(t, f.Sync())
			syncDir(t, fs.Dir())
			cut(t, fs, faultfs.Tear{})
			copy(a, "nobody sees this") // and nobody is killed by it
			if got := read(t, fs, "f")[20000:20012]; got != "by a mapping" {
				t.Errorf("after a power cut a read shows %q", got)
			}
		})
	}
}

func mmap(t *testing.T, f *os.File) []byte {
	t.Helper()
	b, err := unix.Mmap(int(f.Fd()), 0, 32<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	t.Cleanup(func() { _ = unix.Munmap(b) })
	return b
}

// Locks of every sort exclude each other, and end with the machine.
func TestLocks(t *testing.T) {
	fs := faultfs.Start(t)
	write(t, create(t, fs, "f"), "data", 0)
	must(t, fs.Save())
	whole := unix.Flock_t{Type: unix.F_WRLCK}
	for name, lock := range map[string]func(*os.File) error{
		"flock": func(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) },
		"OFD":   func(f *os.File) error { return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &whole) },
	} {
		a, b := open(t, fs, "f"), open(t, fs, "f")
		must(t, lock(a))
		if err := lock(b); !errors.Is(err, unix.EWOULDBLOCK) {
			t.Errorf("a second %s lock returns %v, want EWOULDBLOCK", name, err)
		}
		cut(t, fs, faultfs.Tear{})
		if err := lock(open(t, fs, "f")); err != nil {
			t.Errorf("after a power cut a %s lock returns %v", name, err)
		}
	}
	// Those of fcntl belong to the process; another one asks.
	cut(t, fs, faultfs.Tear{})
	f := open(t, fs, "f")
	must(t, unix.FcntlFlock(f.Fd(), unix.F_SETLK, &whole))
	if out := helper(t, "lock", f.Name()); !strings.Contains(out, "lock: "+unix.EAGAIN.Error()) {
		t.Errorf("another process that locks what is locked says %q", out)
	}
	must(t, f.Close())
	if out := helper(t, "lock", f.Name()); !strings.Contains(out, "lock: <nil>") {
		t.Errorf("another process that locks what is free says %q", out)
	}
}

func TestAllocateAndHoles(t *testing.T) {
	fs := faultfs.Start(t)
	f := create(t, fs, "f")
	fd := int(f.Fd())
	must(t, unix.Fallocate(fd, 0, 0, 64<<10))
	size := func() int64 { info, err := f.Stat(); must(t, err); return info.Size() }
	if size() != 64<<10 {
		t.Errorf("after fallocate the size is %d", size())
	}
	must(t, unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, 1<<20))
	if size() != 64<<10 {
		t.Errorf("after fallocate that keeps the size it is %d", size())
	}
	write(t, f, strings.Repeat("x", 16<<10), 0)
	must(t, unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 100, 8<<10))
	must(t, unix.Fallocate(fd, unix.FALLOC_FL_ZERO_RANGE, 60<<10, 8<<10))
	content := strings.Repeat("x", 100) + strings.Repeat("\x00", 8<<10) + strings.Repeat("x", 8<<10-100) + strings.Repeat("\x00", 52<<10)
	want(t, fs, "f", content)
	for _, c := range []struct {
		whence   int
		from, to int64
	}{{unix.SEEK_HOLE, 0, 4096}, {unix.SEEK_DATA, 4096, 8192}, {unix.SEEK_HOLE, 8192, 16 << 10}, {unix.SEEK_HOLE, 68<<10 - 1, 68<<10 - 1}} {
		if at, err := f.Seek(c.from, c.whence); at != c.to || err != nil {
			t.Errorf("Seek(%d, %d) returns %d, %v, want %d", c.from, c.whence, at, err, c.to)
		}
	}
	if _, err := f.Seek(16<<10, unix.SEEK_DATA); !errors.Is(err, unix.ENXIO) {
		t.Errorf("Seek to data where there is none returns %v, want ENXIO", err)
	}
	must(t, f.Sync())
	syncDir(t, fs.Dir())
	cut(t, fs, faultfs.Tear{})
	want(t, fs, "f", content)
	must(t, os.Truncate(f.Name(), 1<<40)) // costs nothing
}

func TestRenames(t *testing.T) {
	fs := faultfs.Start(t)
	path := func(name string) string { return filepath.Join(fs.Dir(), name) }
	for _, name := range []string{"a", "b"} {
		write(t, create(t, fs, name), name, 0)
	}
	rename := func(from, to string, flags uint) error {
		return unix.Renameat2(unix.AT_FDCWD, path(from), unix.AT_FDCWD, path(to), flags)
	}
	if err := rename("a", "b", unix.RENAME_NOREPLACE); !errors.Is(err, unix.EEXIST) {
		t.Errorf("RENAME_NOREPLACE over something returns %v, want EEXIST", err)
	}
	must(t, rename("a", "c", unix.RENAME_NOREPLACE))
	must(t, rename("b", "c", unix.RENAME_EXCHANGE))
	want(t, fs, "b", "a")
	want(t, fs, "c", "b")
	must(t, os.MkdirAll(path("d/e"), 0o700))
	must(t, os.Mkdir(path("g"), 0o700))
	for want, pair := range map[error][2]string{
		unix.ENOTEMPTY: {"g", "d"}, unix.EISDIR: {"b", "g"}, unix.ENOTDIR: {"g", "b"}, unix.EINVAL: {"d", "d/e/x"}, unix.ENOENT: {"x", "y"},
	} {
		if err := rename(pair[0], pair[1], 0); !errors.Is(err, want) {
			t.Errorf("renaming %s to %s returns %v, want %v", pair[0], pair[1], err, want)
		}
	}
	must(t, rename("d/e", "g", 0)) // over an empty directory
	if got := list(t, fs.Dir()); !slices.Equal(got, []string{"b", "c", "d", "g"}) {
		t.Errorf("there are %v", got)
	}
}

func TestFilesAndTheirNames(t *testing.T) {
	fs := faultfs.Start(t)
	path := func(name string) string { return filepath.Join(fs.Dir(), name) }
	f := create(t, fs, "f")
	must(t, os.Link(path("f"), path("g")))
	must(t, os.Symlink("f", path("s")))
	var st unix.Stat_t
	must(t, unix.Stat(path("s"), &st))
	if st.Nlink != 2 {
		t.Errorf("a file with two names has %d", st.Nlink)
	}
	must(t, os.Remove(path("f")))
	must(t, os.Remove(path("g")))
	write(t, f, "still open", 0)
	b := make([]byte, 10)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "still open" {
		t.Errorf("a file without a name reads %q, %v", b, err)
	}
	if err := os.Remove(path("none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removing nothing returns %v", err)
	}
	l, err := net.Listen("unix", path("socket"))
	must(t, err)
	must(t, l.Close())
	var names []string
	for i := range 500 { // more than one answer to a readdir
		name := fmt.Sprintf("%0200d", i)
		create(t, fs, name).Close()
		names = append(names, name)
	}
	if got := list(t, fs.Dir()); !slices.Equal(got, append(names, "s")) {
		t.Errorf("%d names are listed, want 501", len(got))
	}
}

func TestPermissionsAreThoseOfTheKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to act as another user")
	}
	fs := faultfs.Start(t)
	dir := filepath.Join(fs.Dir(), "theirs")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Chown(dir, 65534, 65534))
	write(t, create(t, fs, "secret"), "x", 0)
	must(t, os.Chmod(filepath.Join(fs.Dir(), "secret"), 0o600))
	as := func(script string) error {
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return cmd.Run()
	}
	must(t, os.Chmod(fs.Dir(), 0o755))
	must(t, as("echo hello > "+dir+"/f"))
	if as("cat "+filepath.Join(fs.Dir(), "secret")) == nil {
		t.Error("another user can read a file of mode 600")
	}
	var st unix.Stat_t
	must(t, unix.Stat(dir+"/f", &st))
	if st.Uid != 65534 || st.Mode&0o777 != 0o644 {
		t.Errorf("a file that another user made belongs to %d and has mode %o", st.Uid, st.Mode)
	}
}
