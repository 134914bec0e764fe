package durable

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"example.com/signals/examples/internal/exampletest"
	"example.com/signals/examples/internal/shop"
)

var kills = flag.Int("kills", 10, "how often the process of a replay is killed")

func testLog(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// killed runs a replay in a process of its own until so many more invoices are on
// the disk, or for that long, and kills it. It adds what was on the disk to told,
// and reports whether the replay came to its end before.
func killed(t *testing.T, told map[string]bool, stored int, after time.Duration, args ...string) (ended bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, "\n"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if stored == 0 {
		defer time.AfterFunc(after, func() { _ = cmd.Process.Kill() }).Stop()
	}
	n := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if id := lines.Text(); !strings.HasPrefix(id, "line-") {
			t.Errorf("the process said %q", id)
		} else if told[id] {
			t.Errorf("%s was stored again", id)
		} else {
			told[id] = true
		}
		if n++; n == stored {
			_ = cmd.Process.Kill() // and reads on: what it has said before it died counts
		}
	}
	err = cmd.Wait()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err == nil || failed && exit.ExitCode() < 0 { // ended, or killed
		return err == nil
	}
	t.Errorf("%v: %s", err, stderr.String())
	return false
}

// finished lets a replay come to its end and holds what is there against what was
// told and against the known totals.
func finished(t *testing.T, dir string, told map[string]bool, want shop.Totals, args ...string) said {
	t.Helper()
	got := command(t, args...)
	if got.code != shop.ExitOK || !strings.Contains(got.stdout, "all totals agree") || !strings.Contains(got.stdout, "events agree") {
		t.Fatalf("%d %q\n%s", got.code, got.stderr, got.stdout)
	}
	if diff := totals(t, dir).Diff(want); diff != nil {
		t.Errorf("the read model is wrong: %q", diff)
	}
	k := opened(t, dir)
	store := eventstore.New(k.db, eventstore.Types(types()))
	defer func() {
		if err := errors.Join(store.Close(context.Background()), k.close(context.Background())); err != nil {
			t.Error(err)
		}
	}()
	head, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counted, err := count(t.Context(), store, head)
	if err != nil {
		t.Fatal(err)
	}
	if diff := counted.Diff(want); diff != nil {
		t.Errorf("the events are wrong: %q", diff)
	}
	there := map[string]bool{}
	for r, err := range store.Read(t.Context(), eventstore.All()) {
		if err != nil {
			t.Fatal(err)
		}
		there[r.ID] = true
	}
	for id := range told {
		if !there[id] {
			t.Errorf("%s was said to be on the disk, and is not there", id)
		}
	}
	return got
}

func TestAReplayThatIsKilledCountsEachLineOnce(t *testing.T) {
	invoices := 3000
	if raceEnabled {
		invoices = 300
	}
	text, want := books(invoices)
	path, dir := file(t, "books.csv", text), t.TempDir()
	args := []string{"-data", dir, "-replay", path}
	told, early := map[string]bool{}, 0
	for round := range *kills {
		stored := 1 + rand.IntN(max(1, min(invoices-100, 2*invoices / *kills)))
		if round%2 == 1 {
			stored = 0 // at any time, also before the first
		}
		if !killed(t, told, stored, time.Duration(rand.IntN(600))*time.Millisecond, args...) {
			early++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d runs killed, %d of %d invoices were told of", early, *kills, len(told), want.Invoices)
	if len(told) == 0 || early == 0 {
		t.Error("no run was killed behind its first invoice")
	}
	finished(t, dir, told, want, args...)
}

func TestTheRealFileKilledAndReplayedHasItsPublishedTotals(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	if raceEnabled {
		t.Skip("the race detector makes minutes of it")
	}
	want := shop.Totals{
		Lines: 541_909, Invoices: 25_900, Cancellations: 3_836, Customers: 4_372, Anonymous: 135_080, Codes: 4_070,
		Quantity: 5_176_450, Unpriced: 2_517,
	}
	want.Revenue, _ = shop.ParseMoney("9747747.934")
	path, dir := exampletest.RealFile(t, "online-retail.csv.gz"), t.TempDir()
	args := []string{"-data", dir, "-replay", path}
	told := map[string]bool{}
	for range 3 {
		if killed(t, told, 1+rand.IntN(8_000), 0, args...) {
			t.Fatal("the replay came to its end")
		}
	}
	got := finished(t, dir, told, want, args...)
	if !strings.Contains(got.stdout, "durability: ") || !strings.Contains(got.stdout, "the same replay without a store") {
		t.Errorf("nothing about the cost:\n%s", got.stdout)
	}
	t.Log(got.stdout[strings.Index(got.stdout, "durability: "):])
}
