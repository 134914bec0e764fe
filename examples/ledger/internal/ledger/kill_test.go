package ledger

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

var kills = flag.Int("kills", 8, "how often the process of a ledger is killed")

// child works on a ledger until it is killed, in runs of some requests each, so
// that every part of a run has its turn. It prints the ID of each request whose
// answer is on the disk.
func child(ctx context.Context, args []string) int {
	db, err := openFor(ctx, args[0], args[1])
	n, _ := strconv.Atoi(args[2])
	for ; err == nil; n += 200 {
		_, err = Run(ctx, db, Config{Transfers: n, Answered: func(r Request) { fmt.Println(r.ID()) }})
	}
	fmt.Println("failed:", err)
	return 1
}

// openFor opens the ledger of a kind: what a directory or a DSN means.
func openFor(ctx context.Context, kind, where string) (*Database, error) {
	if kind == "postgres" {
		return OpenPostgres(ctx, where)
	}
	return OpenSQLite(where)
}

func TestNothingIsLostByAKill(t *testing.T) { killAgainAndAgain(t, "sqlite", t.TempDir()) }

// killAgainAndAgain kills the process of a ledger at any moment, from its first
// one on, and lets another run go on: every request whose answer was told has
// it, and Run finds everything in order.
func killAgainAndAgain(t *testing.T, kind, where string) {
	told := map[string]bool{}
	for round := range *kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{kind, where, strconv.Itoa(200 * (round + 1))}, "\n"))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(700))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			id := lines.Text()
			if strings.HasPrefix(id, "failed:") {
				t.Errorf("round %d: %s", round, id)
			}
			told[id] = true
		}
		timer.Stop()
		_ = cmd.Wait() // killed
		if t.Failed() {
			return
		}
		verify(t, kind, where, told)
	}
	t.Logf("%d answers in %d rounds", len(told), *kills)
	if len(told) == 0 {
		t.Error("nothing was ever answered")
	}
}

// verify lets a run check everything, and then looks for what was told.
func verify(t *testing.T, kind, where string, told map[string]bool) {
	t.Helper()
	db, err := openFor(t.Context(), kind, where)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	s, err := Run(t.Context(), db, Config{Transfers: 1})
	if err != nil {
		t.Fatal(err)
	}
	for id := range told {
		parts := strings.Split(id, "-") // request-CUSTOMER-NUMBER
		if len(parts) != 3 {
			t.Fatalf("the process said %q", id)
		}
		if n, _ := strconv.Atoi(parts[2]); n > s.Answered[parts[1]] {
			t.Fatalf("%s was answered, and is not in the store, which has %d of customer %s", id, s.Answered[parts[1]], parts[1])
		}
	}
}
