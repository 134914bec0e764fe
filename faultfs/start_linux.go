package faultfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// The server is a process of its own, this program run once more. In the
// process under test it would deadlock: a goroutine that waits for a page of a mapped
// file cannot be stopped by the garbage collector, which stops the server's
// goroutines all the same; and so would fork, and GOMAXPROCS=1. It begins in
// init, so that users need no TestMain.
const serverEnv = "FAULTFS_SERVER"

func init() {
	if c := os.Getenv(serverEnv); c != "" {
		os.Exit(serve(c))
	}
}

// available returns why nothing can be mounted, or nil if it is worth trying.
func available() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	f.Close()
	if os.Geteuid() == 0 {
		return nil
	}
	if fusermount() == "" {
		return errors.New("it needs root, or fusermount3 of the package fuse3")
	}
	return nil
}

func fusermount() string {
	for _, name := range []string{"fusermount3", "fusermount"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// detach takes the mount at dir out of the tree of files, busy or not.
func detach(dir string) error {
	if os.Geteuid() == 0 {
		return syscall.Unmount(dir, syscall.MNT_DETACH)
	}
	if out, err := exec.Command(fusermount(), "-u", "-z", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("fusermount: %w: %s", err, out)
	}
	return nil
}

func startServer(c config) (*FS, error) {
	dir, err := filepath.Abs(c.Dir)
	if err == nil {
		c.Dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("faultfs: %w", err)
	}
	arg, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("faultfs: %w", err)
	}
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, fmt.Errorf("faultfs: %w", err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"faultfs", c.Dir}
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), serverEnv+"="+string(arg),
		// With the race detector a process would sleep for a second before it ends.
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.Stdin, cmd.Stderr = theirs, os.Stderr
	// Ctrl-C ends the tests; the server then unmounts by itself.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	theirs.Close() // now, or nobody would see that the server has ended
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("faultfs: starting the server: %w", err)
	}
	fs := &FS{dir: c.Dir, client: rpc.NewClient(ours)}
	fs.closed = func() error {
		fs.client.Close() // the server sees the end of its input, unmounts and ends
		err := cmd.Wait()
		if err != nil { // killed, or could not unmount
			_ = detach(c.Dir)
			err = fmt.Errorf("faultfs: server of %s: %w", c.Dir, err)
		}
		if c.OwnDir {
			_ = os.Remove(c.Dir)
		}
		return err
	}
	if err := fs.call("Mount", none(0), nil); err != nil {
		_ = fs.Close()
		return nil, err
	}
	return fs, nil
}

// socketpair returns the two ends of a connection.
func socketpair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control")
	defer ours.Close() // the connection has its own
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}
