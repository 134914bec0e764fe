//go:build linux

package faultfs_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/signals/faultfs"
	"golang.org/x/sys/unix"
)

const helperEnv = "FAULTFS_TEST_HELPER"

// TestMain also is the other processes of the tests, and sees to it that no
// mount is left.
func TestMain(m *testing.M) {
	if name := os.Getenv(helperEnv); name != "" {
		help(name, os.Args[len(os.Args)-1])
		return
	}
	code := m.Run()
	if left := ours(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "still mounted: %q\n", left)
		code = 1
	}
	os.Exit(code)
}

// help does what another process is needed for.
func help(name, arg string) {
	switch name {
	case "lock":
		f, err := os.OpenFile(arg, os.O_RDWR, 0)
		if err == nil {
			err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
		}
		fmt.Println("lock:", err)
	case "mount":
		fs, err := faultfs.Mount()
		if err != nil {
			fmt.Println("error:", err)
			return
		}
		fmt.Println(fs.Dir())
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
	case "panic":
		fs, err := faultfs.Mount()
		if err != nil {
			fmt.Println("error:", err)
			return
		}
		fmt.Println(fs.Dir())
		panic("a test panics")
	}
}

func helperCommand(t *testing.T, name string, arg string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", arg)
	cmd.Env = append(os.Environ(), helperEnv+"="+name)
	return cmd
}

func helper(t *testing.T, name, arg string) string {
	t.Helper()
	out, err := helperCommand(t, name, arg).CombinedOutput()
	must(t, err)
	return string(out)
}

// ours returns where file systems of this process's children are mounted.
func ours() []string {
	info, _ := os.ReadFile("/proc/self/mountinfo")
	var dirs []string
	for line := range strings.Lines(string(info)) {
		fields := strings.Fields(line)
		_, source, ok := strings.Cut(line, " - fuse.faultfs faultfs:")
		pid, _, _ := strings.Cut(source, ":")
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if ok && (err != nil || strings.Contains(string(stat), fmt.Sprintf(" S %d ", os.Getpid()))) {
			dirs = append(dirs, fields[4])
		}
	}
	return dirs
}

func mounted(dir string) bool {
	info, _ := os.ReadFile("/proc/self/mountinfo")
	return strings.Contains(string(info), " "+dir+" ")
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("after 30 s not yet: %s", what)
		case <-tick.C:
		}
	}
}

func TestCloseUnmountsWhoeverHasAFileOpen(t *testing.T) {
	fs := faultfs.Start(t)
	f := create(t, fs, "f")
	must(t, fs.Close())
	if mounted(fs.Dir()) {
		t.Error("it is still mounted")
	}
	if _, err := os.Lstat(fs.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory is still there (%v)", err)
	}
	if _, err := f.Write([]byte("x")); err == nil {
		t.Error("a file of it can be written")
	}
	must(t, fs.Close())
	if err := fs.PowerCut(faultfs.Tear{}); err == nil || !strings.HasPrefix(err.Error(), "faultfs: PowerCut of ") {
		t.Errorf("PowerCut after Close returns %v", err)
	}
}

func TestMountsOnADirectoryOfTheUsers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b")
	must(t, os.Mkdir(dir, 0o700))
	fs := faultfs.Start(t, faultfs.At(dir))
	create(t, fs, "f").Close()
	if fs.Dir() != dir || len(list(t, dir)) != 1 {
		t.Errorf("it is mounted on %s, want %s", fs.Dir(), dir)
	}
	must(t, fs.Close())
	if names := list(t, dir); len(names) != 0 {
		t.Errorf("%v is in the directory after Close", names)
	}
	if _, err := faultfs.Mount(faultfs.At(dir + "/none")); err == nil || !strings.Contains(err.Error(), "a b/none") {
		t.Errorf("mounting on what is not there returns %v", err)
	}
}

func TestResetReturnsToWhatWasSaved(t *testing.T) {
	fs := faultfs.Start(t)
	f := create(t, fs, "f")
	write(t, f, "saved", 0) // though not synced
	must(t, fs.Save())
	write(t, f, "SAVED and more", 0)
	sync(t, f)
	create(t, fs, "g")
	syncDir(t, fs.Dir())
	for range 2 {
		must(t, fs.Inject(faultfs.Fault{Ops: faultfs.Write, N: 1}))
		must(t, fs.Reset())
		want(t, fs, "f", "saved")
		if n, err := fs.Count(faultfs.Changes); n != 0 || err != nil {
			t.Errorf("%d operations are counted after Reset (%v)", n, err)
		}
		write(t, open(t, fs, "f"), "no fault is left", 0)
	}
}

// A test binary that panics, or is killed, leaves its server, which notices.
func TestTheServerUnmountsWhenTheTestsAreGone(t *testing.T) {
	faultfs.Start(t) // or skip
	t.Run("panic", func(t *testing.T) {
		out, err := helperCommand(t, "panic", "").Output()
		if err == nil {
			t.Fatal("the helper does not panic")
		}
		dir := strings.TrimSpace(string(out))
		eventually(t, dir+" is unmounted and removed", func() bool { return gone(dir) })
	})
	t.Run("killed", func(t *testing.T) {
		cmd, dir := mountElsewhere(t)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
		eventually(t, dir+" is unmounted and removed", func() bool { return gone(dir) })
	})
}

func gone(dir string) bool {
	_, err := os.Lstat(dir)
	return !mounted(dir) && errors.Is(err, os.ErrNotExist)
}

// mountElsewhere returns a process that has a file system mounted, and where.
func mountElsewhere(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	cmd := helperCommand(t, "mount", "")
	in, err := cmd.StdinPipe()
	must(t, err)
	t.Cleanup(func() { in.Close() })
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	dir, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	if dir = strings.TrimSpace(dir); !mounted(dir) {
		t.Fatalf("%q is not mounted", dir)
	}
	return cmd, dir
}

func TestTheNextRunRemovesWhatAKilledServerLeft(t *testing.T) {
	faultfs.Start(t) // or skip
	cmd, dir := mountElsewhere(t)
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH); os.Remove(dir) })
	server := serverOf(t, dir)
	must(t, syscall.Kill(cmd.Process.Pid, syscall.SIGSTOP)) // it would tidy up
	must(t, syscall.Kill(server, syscall.SIGKILL))
	eventually(t, dir+" has lost its server", func() bool {
		_, err := os.Lstat(dir)
		return errors.Is(err, syscall.ENOTCONN)
	})
	alive := faultfs.Start(t)
	if !gone(dir) {
		t.Errorf("%s is still there", dir)
	}
	faultfs.Start(t)
	create(t, alive, "f") // one that is in use is left alone
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
}

func TestAServerThatDoesNotStartIsReported(t *testing.T) {
	faultfs.Start(t)                   // or skip
	t.Setenv("GOMEMLIMIT", "nonsense") // kills each Go program
	if _, err := faultfs.Mount(); err == nil {
		t.Error("Mount succeeds")
	}
}

// serverOf returns the process that serves what is mounted on dir.
func serverOf(t *testing.T, dir string) int {
	t.Helper()
	info, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	for line := range strings.Lines(string(info)) {
		if _, source, ok := strings.Cut(line, "faultfs:"); ok && strings.Contains(line, " "+dir+" ") {
			pid, err := strconv.Atoi(source[:strings.Index(source, ":")])
			must(t, err)
			return pid
		}
	}
	t.Fatalf("nothing is mounted on %s", dir)
	return 0
}

func TestAServerThatDiesIsReported(t *testing.T) {
	fs, err := faultfs.Mount()
	if errors.Is(err, faultfs.ErrUnavailable) {
		t.Skip(err)
	}
	must(t, err)
	must(t, syscall.Kill(serverOf(t, fs.Dir()), syscall.SIGKILL))
	if err := fs.PowerCut(faultfs.Tear{}); err == nil {
		t.Error("PowerCut without a server succeeds")
	}
	if err := fs.Close(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Close returns %v, want that it was killed", err)
	}
	if !gone(fs.Dir()) {
		t.Error("it is still mounted")
	}
}
