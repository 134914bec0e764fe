//go:build linux

package faultfs_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"example.com/signals/faultfs"
)

func TestSyncedSurvivesAPowerCutAndTheRestDoesNot(t *testing.T) {
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			fs := faultfs.Start(t, opts...)
			f := create(t, fs, "f")
			write(t, f, "synced", 0)
			sync(t, f)
			syncDir(t, fs.Dir())
			write(t, f, "SYN, and more", 0)
			wantUnsynced(t, fs, "f")
			cut(t, fs, faultfs.Tear{})
			want(t, fs, "f", "synced")
			wantUnsynced(t, fs)
		})
	}
}

func TestTruncationIsLostUnlessSynced(t *testing.T) {
	fs := faultfs.Start(t)
	f := create(t, fs, "f")
	write(t, f, strings.Repeat("x", 10000), 0)
	sync(t, f)
	syncDir(t, fs.Dir())
	must(t, f.Truncate(5))
	must(t, f.Truncate(9000)) // what comes back is zeros, not what was there
	want(t, fs, "f", "xxxxx"+strings.Repeat("\x00", 8995))
	cut(t, fs, faultfs.Tear{})
	want(t, fs, "f", strings.Repeat("x", 10000))

	f = open(t, fs, "f")
	must(t, f.Truncate(5))
	must(t, f.Truncate(9000))
	sync(t, f)
	cut(t, fs, faultfs.Tear{})
	want(t, fs, "f", "xxxxx"+strings.Repeat("\x00", 8995))
}

func TestEntriesNeedTheirDirectorySynced(t *testing.T) {
	steps := map[string]struct {
		do   func(dir string) error
		lost string // names after a power cut without a sync of the directory
		kept string // and with one
	}{
		"creation":            {func(dir string) error { return os.WriteFile(dir+"/new", nil, 0o600) }, "a b", "a b new"},
		"rename":              {func(dir string) error { return os.Rename(dir+"/a", dir+"/c") }, "a b", "b c"},
		"rename over another": {func(dir string) error { return os.Rename(dir+"/a", dir+"/b") }, "a b", "b"},
		"unlink":              {func(dir string) error { return os.Remove(dir + "/a") }, "a b", "b"},
		"link":                {func(dir string) error { return os.Link(dir+"/a", dir+"/c") }, "a b", "a b c"},
		"symlink":             {func(dir string) error { return os.Symlink("a", dir+"/c") }, "a b", "a b c"},
		"mkdir":               {func(dir string) error { return os.Mkdir(dir+"/c", 0o700) }, "a b", "a b c"},
	}
	fs := faultfs.Start(t)
	for _, name := range []string{"a", "b"} {
		f := create(t, fs, name)
		write(t, f, name, 0)
		must(t, f.Close())
	}
	must(t, fs.Save())
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			for _, synced := range []bool{false, true} {
				must(t, fs.Reset())
				must(t, step.do(fs.Dir()))
				names := step.lost
				if synced {
					syncDir(t, fs.Dir())
					names = step.kept
				}
				cut(t, fs, faultfs.Tear{})
				if got := strings.Join(list(t, fs.Dir()), " "); got != names {
					t.Errorf("directory synced: %t: %s is left, want %s", synced, got, names)
				}
			}
		})
	}
}

func TestSyncOfAFileDoesNotKeepItsName(t *testing.T) {
	fs := faultfs.Start(t)
	f := create(t, fs, "f")
	write(t, f, "data", 0)
	sync(t, f)
	wantUnsynced(t, fs, "./")
	cut(t, fs, faultfs.Tear{})
	if names := list(t, fs.Dir()); len(names) > 0 {
		t.Errorf("%v is left of a directory that was never synced", names)
	}
}

func TestWithAJournalASyncKeepsNames(t *testing.T) {
	fs := faultfs.Start(t, faultfs.Journal())
	must(t, os.MkdirAll(filepath.Join(fs.Dir(), "a", "b"), 0o700))
	create(t, fs, "a/gone")
	f := create(t, fs, "a/b/f")
	write(t, f, "data", 0)
	must(t, os.Remove(filepath.Join(fs.Dir(), "a/gone")))
	sync(t, f)
	create(t, fs, "a/later")
	cut(t, fs, faultfs.Tear{})
	want(t, fs, "a/b/f", "data")
	if names := list(t, filepath.Join(fs.Dir(), "a")); !slices.Equal(names, []string{"b"}) {
		t.Errorf("%v is left, want b", names)
	}
}

func TestNameWithoutSyncedContentIsAnEmptyFile(t *testing.T) {
	fs := faultfs.Start(t)
	write(t, create(t, fs, "f"), "data", 0)
	syncDir(t, fs.Dir())
	cut(t, fs, faultfs.Tear{})
	want(t, fs, "f", "")
}

func TestRenameBetweenDirectoriesSurvivesAsAWhole(t *testing.T) {
	for _, synced := range []string{"from", "to"} {
		fs := faultfs.Start(t)
		from, to := filepath.Join(fs.Dir(), "from"), filepath.Join(fs.Dir(), "to")
		must(t, os.Mkdir(from, 0o700))
		must(t, os.Mkdir(to, 0o700))
		syncDir(t, fs.Dir())
		must(t, os.Mkdir(filepath.Join(from, "d"), 0o700))
		must(t, os.Rename(filepath.Join(from, "d"), filepath.Join(to, "d")))
		syncDir(t, filepath.Join(fs.Dir(), synced))
		cut(t, fs, faultfs.Tear{})
		if a, b := list(t, from), list(t, to); len(a) != 0 || !slices.Equal(b, []string{"d"}) {
			t.Errorf("%s synced: %v and %v are left, want it in the second", synced, a, b)
		}
	}
}

func TestAFileThatWasRemovedWithoutASyncIsBackWithItsContent(t *testing.T) {
	fs := faultfs.Start(t)
	f := create(t, fs, "f")
	write(t, f, "data", 0)
	must(t, fs.Save())
	must(t, os.Remove(f.Name()))
	write(t, f, "more", 0) // it is still open
	sync(t, f)
	cut(t, fs, faultfs.Tear{})
	want(t, fs, "f", "more")
}

func TestWritesThatSyncByThemselves(t *testing.T) {
	for name, opts := range modes {
		for flagName, flag := range map[string]int{"O_SYNC": syscall.O_SYNC, "O_DSYNC": syscall.O_DSYNC} {
			t.Run(name+"/"+flagName, func(t *testing.T) {
				fs := faultfs.Start(t, opts...)
				f, err := os.OpenFile(filepath.Join(fs.Dir(), "f"), os.O_CREATE|os.O_WRONLY|flag, 0o600)
				must(t, err)
				t.Cleanup(func() { f.Close() })
				syncDir(t, fs.Dir())
				write(t, f, "data", 0)
				if n, err := fs.Count(faultfs.Sync); n != 1 || err != nil {
					t.Errorf("%d syncs were counted, want 1 (%v)", n, err)
				}
				cut(t, fs, faultfs.Tear{})
				want(t, fs, "f", "data")
			})
		}
	}
}

// The parts of a write that survive are whole units, and the same for a seed.
func TestTornWrites(t *testing.T) {
	was, is := strings.Repeat("-", 64<<10), strings.Repeat("+", 64<<10)
	torn := func(t *testing.T, fs *faultfs.FS, unit int, seed uint64) string {
		must(t, fs.Reset())
		f := open(t, fs, "f")
		write(t, f, is, 0)
		cut(t, fs, faultfs.Tear{Unit: unit, Seed: seed})
		return read(t, fs, "f")
	}
	fs := faultfs.Start(t)
	f := create(t, fs, "f")
	write(t, f, was, 0)
	must(t, fs.Save())
	for _, unit := range []int{faultfs.Sector, faultfs.Page} {
		seen := make(map[string]bool)
		for seed := range uint64(8) {
			got := torn(t, fs, unit, seed)
			if again := torn(t, fs, unit, seed); again != got {
				t.Fatalf("unit %d, seed %d: two runs differ", unit, seed)
			}
			if len(got) != len(was) || !strings.Contains(got, "+") || !strings.Contains(got, "-") {
				t.Fatalf("unit %d, seed %d: all or nothing of 64 KiB survived", unit, seed)
			}
			for part := range slices.Chunk([]byte(got), unit) {
				if n := bytes.Count(part, []byte("+")); n != 0 && n != unit {
					t.Fatalf("unit %d, seed %d: %d bytes of a unit survived", unit, seed, n)
				}
			}
			seen[got] = true
		}
		if len(seen) != 8 {
			t.Errorf("unit %d: 8 seeds left %d different files", unit, len(seen))
		}
	}
	if got := torn(t, fs, faultfs.Sector, 1); strings.Count(got, "+")%faultfs.Page == 0 && torn(t, fs, faultfs.Page, 1) == got {
		t.Error("sectors are torn like pages")
	}
}

// With a tear, changes of entries survive up to some moment.
func TestTornChangesOfEntriesAreAPrefix(t *testing.T) {
	fs := faultfs.Start(t)
	seen := make(map[int]bool)
	for seed := range uint64(40) {
		must(t, fs.Reset())
		for _, name := range []string{"a", "b", "c"} {
			create(t, fs, name)
		}
		cut(t, fs, faultfs.Tear{Unit: faultfs.Page, Seed: seed})
		names := list(t, fs.Dir())
		if !slices.Equal(names, []string{"a", "b", "c"}[:len(names)]) {
			t.Fatalf("seed %d: %v is left, which is no prefix of a, b, c", seed, names)
		}
		seen[len(names)] = true
	}
	if len(seen) != 4 {
		t.Errorf("40 seeds left %v files; want 0, 1, 2 and 3 at times", seen)
	}
}

func TestTheMachineThatIsOffCanOnlyBeRead(t *testing.T) {
	fs := faultfs.Start(t)
	f := create(t, fs, "f")
	write(t, f, "data", 0)
	cut(t, fs, faultfs.Tear{})
	b := make([]byte, 4)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "data" {
		t.Errorf("reading what was open returns %q, %v", b, err)
	}
	if _, err := f.WriteAt(b, 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("writing to it returns %v, want EIO", err)
	}
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("syncing it returns %v, want EIO", err)
	}
}
