//go:build linux

package cluster_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests run in a child of the test binary, which has a network namespace
// of its own: nothing that they do to links or addresses is seen outside, and
// all of it is gone when the child is.
const (
	roleVar  = "SIGNALS_CLUSTER_ROLE"
	roleTest = "test" // runs the tests
	roleHold = "hold" // keeps the namespace of one server until its input ends
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case roleHold:
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	case roleTest:
		slog.SetDefault(slog.New(slog.DiscardHandler))
		os.Exit(m.Run())
	}
	if why := cannot(); why != "" {
		fmt.Println("cluster: the tests are skipped:", why)
		skipReason = why
		os.Exit(m.Run())
	}
	child := exec.Command(os.Args[0], os.Args[1:]...)
	child.Env = append(os.Environ(), roleVar+"="+roleTest)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := child.Run(); err != nil {
		fmt.Println("cluster:", err)
		os.Exit(1)
	}
}

var skipReason string

// cannot says why the tests cannot run here, or "".
func cannot() string {
	if os.Geteuid() != 0 {
		return "network namespaces need root"
	}
	for _, tool := range []string{"ip", "nsenter", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is not installed"
		}
	}
	try := exec.Command("ip", "link", "add", "probe", "type", "bridge")
	try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if out, err := try.CombinedOutput(); err != nil {
		return fmt.Sprintf("a network namespace with a bridge cannot be made: %v %s", err, strings.TrimSpace(string(out)))
	}
	return ""
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// eventually waits for a condition.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(within); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}
