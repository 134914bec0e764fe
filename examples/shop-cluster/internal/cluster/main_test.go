package cluster

import (
	"context"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// commandEnv has the arguments of the program that the process of the test is to
// be, separated by newlines.
const commandEnv = "SHOP_CLUSTER_TEST_ARGUMENTS"

func TestMain(m *testing.M) {
	if code, child := Child(); child {
		os.Exit(code)
	}
	if args := os.Getenv(commandEnv); args != "" {
		os.Unsetenv(commandEnv)
		os.Exit(Command(context.Background(), strings.Split(args, "\n"), os.Stdout, os.Stderr, func() int { return 0 }))
	}
	goleak.VerifyTestMain(m)
}
