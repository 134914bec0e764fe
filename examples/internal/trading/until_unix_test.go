//go:build unix

package trading

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writer opens a named pipe for writing once somebody reads it.
func writer(t *testing.T, pipe string) int {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(time.Millisecond) {
		fd, err := syscall.Open(pipe, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			return fd
		}
		if !errors.Is(err, syscall.ENXIO) || time.Now().After(deadline) {
			t.Fatalf("nobody reads the pipe: %v", err)
		}
	}
}

func TestAReplayOfASilentPipeCanBeInterrupted(t *testing.T) {
	for _, c := range []struct {
		name string
		open bool // somebody has it open for writing
	}{{"nobody writes", false}, {"silent", true}} {
		t.Run(c.name, func(t *testing.T) {
			pipe := filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Skipf("no named pipes here: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan result, 1)
			go func() { ended <- run(ctx, 0, 0, "-replay", pipe) }()
			fd := -1
			if c.open {
				fd = writer(t, pipe)
			}
			cancel()
			select {
			case got := <-ended:
				if got.code != ExitInterrupted || !strings.Contains(got.stdout, "nothing lost") || !strings.Contains(got.stderr, "interrupted") {
					t.Errorf("%+v", got)
				}
			case <-time.After(20 * time.Second):
				t.Error("it still reads")
			}
			if fd < 0 { // the goroutine that opens the pipe ends, too
				fd = writer(t, pipe)
			}
			syscall.Close(fd)
		})
	}
}
