package disk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
)

func file(t *testing.T, d *Disk, name string) *Inode {
	t.Helper()
	i, err := d.Make(d.Root(), name, Meta{Mode: TypeFile | 0o600}, "")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func contentOf(f *File) []byte {
	b := make([]byte, f.Size())
	return b[:f.ReadAt(b, 0)]
}

// A plain slice of bytes does the same as a file, and what is on the disk is what
// that slice was at the last sync.
func TestFilesAgreeWithASliceOfBytes(t *testing.T) {
	for seed := range uint64(200) {
		chance := rand.New(rand.NewPCG(seed, 1))
		d := New(Meta{})
		i := file(t, d, "f")
		d.SyncDir(d.Root())
		f := i.File
		var is, was []byte
		grow := func(end int) {
			if end > len(is) {
				is = append(is, make([]byte, end-len(is))...)
			}
		}
		for range 60 {
			off, n := chance.IntN(5*PageSize), chance.IntN(2*PageSize)
			if chance.IntN(3) == 0 {
				off, n = off/PageSize*PageSize, PageSize
			}
			var err error
			switch chance.IntN(7) {
			case 0, 1, 2:
				b := bytes.Repeat([]byte{byte(1 + chance.IntN(255))}, n)
				err = f.WriteAt(b, int64(off))
				if n > 0 {
					grow(off + n)
				}
				copy(is[min(off, len(is)):], b)
			case 3:
				err = f.Truncate(int64(off))
				grow(off)
				is = is[:off]
			case 4:
				err = f.Punch(int64(off), int64(n))
				if off < len(is) {
					clear(is[off:min(off+n, len(is))])
				}
			case 5:
				err = f.Allocate(int64(off), int64(n))
				grow(off + n)
			case 6:
				f.Sync()
				was = slices.Clone(is)
			}
			is = slices.Clone(is) // what append finds behind the end is not to be seen
			if err != nil {
				t.Fatal(err)
			}
			if got := contentOf(f); !bytes.Equal(got, is) {
				t.Fatalf("seed %d: %d bytes, want %d, or others", seed, len(got), len(is))
			}
		}
		after := d.Cut(0, 0)
		left, err := after.Lookup(after.Root(), "f")
		if err != nil {
			t.Fatal(err)
		}
		if got := contentOf(left.File); !bytes.Equal(got, was) {
			t.Fatalf("seed %d: a power cut leaves %d bytes, want the %d that were synced, or others", seed, len(got), len(was))
		}
		// Torn, each sector is as it was or as it is, or missing.
		torn := d.Cut(512, seed)
		if left, err = torn.Lookup(torn.Root(), "f"); err != nil {
			t.Fatal(err)
		}
		got := contentOf(left.File)
		if len(got) != len(was) && len(got) != len(is) {
			t.Fatalf("seed %d: %d bytes are left of %d and %d", seed, len(got), len(was), len(is))
		}
		for at := 0; at < len(got); at += 512 {
			end := min(at+512, len(got))
			if !bytes.Equal(got[at:end], part(was, at, end)) && !bytes.Equal(got[at:end], part(is, at, end)) {
				t.Fatalf("seed %d: the sector at %d is neither the old nor the new one", seed, at)
			}
		}
	}
}

// part returns b[from:to], with zeros beyond the end of b.
func part(b []byte, from, to int) []byte {
	p := make([]byte, to-from)
	if from < len(b) {
		copy(p, b[from:])
	}
	return p
}

func TestChangesOfAnotherDirectoryThatCameBeforeARenameSurviveWithIt(t *testing.T) {
	d := New(Meta{})
	root := d.Root()
	a, _ := d.Make(root, "a", Meta{Mode: TypeDir}, "")
	b, _ := d.Make(root, "b", Meta{Mode: TypeDir}, "")
	d.SyncDir(root)
	for _, dir := range []*Inode{a, b} {
		for _, name := range []string{"x", "y"} {
			if _, err := d.Make(dir, name, Meta{Mode: TypeFile}, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := d.Rename(a, "x", b, "z"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Make(a, "later", Meta{Mode: TypeFile}, ""); err != nil {
		t.Fatal(err)
	}
	d.SyncDir(b)
	after := d.Cut(0, 0)
	for name, want := range map[string][]string{"a": {"y"}, "b": {"x", "y", "z"}} {
		dir, err := after.Lookup(after.Root(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := after.Names(dir); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", name, got, want)
		}
	}
}

// A file that came and went between two syncs may be there after a power cut.
func TestATornDirectoryMayShowWhatWasRemoved(t *testing.T) {
	seen := make(map[string]bool)
	for seed := range uint64(40) {
		d := New(Meta{})
		i := file(t, d, "f")
		if err := i.File.WriteAt([]byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		if err := d.Remove(d.Root(), "f", false); err != nil {
			t.Fatal(err)
		}
		after := d.Cut(PageSize, seed)
		seen[fmt.Sprint(after.Names(after.Root()))] = true
	}
	if !seen["[]"] || !seen["[f]"] {
		t.Errorf("40 seeds leave %v", seen)
	}
}

func TestWhatCannotBeDone(t *testing.T) {
	d := New(Meta{})
	f := file(t, d, "f")
	dir, _ := d.Make(d.Root(), "d", Meta{Mode: TypeDir}, "")
	if _, err := d.Make(dir, "sub", Meta{Mode: TypeDir}, ""); err != nil {
		t.Fatal(err)
	}
	create := func(in *Inode, name string) error { _, err := d.Make(in, name, Meta{Mode: TypeFile}, ""); return err }
	lookup := func(in *Inode, name string) error { _, err := d.Lookup(in, name); return err }
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{create(d.Root(), "f"), syscall.EEXIST},
		{create(f, "x"), syscall.ENOTDIR},
		{create(d.Root(), string(bytes.Repeat([]byte("x"), 256))), syscall.ENAMETOOLONG},
		{lookup(f, "x"), syscall.ENOTDIR},
		{lookup(dir, "x"), syscall.ENOENT},
		{d.Link(dir, d.Root(), "e"), syscall.EPERM},
		{d.Remove(d.Root(), "d", true), syscall.ENOTEMPTY},
		{d.Remove(d.Root(), "d", false), syscall.EISDIR},
		{d.Remove(d.Root(), "f", true), syscall.ENOTDIR},
		{d.Remove(d.Root(), "x", false), syscall.ENOENT},
		{f.File.WriteAt([]byte("x"), maxSize), syscall.EFBIG},
		{f.File.Truncate(maxSize + 1), syscall.EFBIG},
		{f.File.Allocate(1<<62, 1<<62), syscall.EFBIG},
		{f.File.Punch(-1, 1), syscall.EINVAL},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("got %v, want %v", c.err, c.want)
		}
	}
}
