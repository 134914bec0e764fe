package ledger

import (
	"context"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// childEnv has the arguments of the program that the process of the test is to
// be, separated by newlines.
const childEnv = "LEDGER_TEST_ARGUMENTS"

func TestMain(m *testing.M) {
	if args := os.Getenv(childEnv); args != "" {
		os.Exit(child(context.Background(), strings.Split(args, "\n")))
	}
	code := m.Run()
	if server != nil {
		server.stop()
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error())
			code = 1
		}
	}
	os.Exit(code)
}
