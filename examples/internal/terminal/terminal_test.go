package terminal

import (
	"os"
	"testing"
)

func TestADumbTerminalIsNone(t *testing.T) {
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer f.Close()
	t.Setenv("TERM", "xterm")
	if width, _ := Size(f); width == 0 {
		t.Skip("this system's /dev/ptmx is no terminal")
	}
	t.Setenv("TERM", "dumb")
	if width, height := Size(f); width != 0 || height != 0 {
		t.Errorf("%d, %d", width, height)
	}
}
