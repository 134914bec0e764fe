package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/signals/eventstore/sqlite"
)

func TestBadInputIsOneLine(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	file := filepath.Join(t.TempDir(), "a.csv")
	const header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
	if err := os.WriteFile(file, []byte(header+"1,A,x,many,2010-12-01 08:26:00,1,,UK\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "b.csv")
	if err := os.WriteFile(empty, []byte(header), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := t.TempDir()
	home, err := openHome(taken)
	if err != nil {
		t.Fatal(err)
	}
	defer home.close()
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "shop.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"-bogus":                        "-bogus",
		"more":                          `unexpected argument "more"`,
		"-orders 0":                     "-orders 0: want 1 or more",
		"-orders 5 -replay x":           "give one of them",
		"-kills 2":                      "without -chaos",
		"-chaos -kills 0":               "-kills 0",
		"-replicas 3":                   "without -nats",
		"-nats nats://a -replicas 2":    "want 3 to 5, or 1",
		"-nats nats://u:secret@[::1]:1": "cannot connect to nats://u:xxxxx@[::1]:1: ",
		"-nats nats://u:secret@[::1]:x": "cannot connect to a URL that makes no sense: invalid port",
		"-nats nats://secret@[::1]:1":   "cannot connect to nats://xxxxx@[::1]:1: ",
		"-replay -":                     "a file is needed",
		"-replay /not/there":            "cannot open /not/there",
		"-replay " + file:               `line 2: Quantity "many" is not a whole number`,
		"-replay " + empty:              "there are no orders",
		"-data " + damaged:              "shop.json is damaged",
		"-data " + taken:                "another shop-cluster is at work in " + taken + ": wait until it has ended",
		"-nats nats://localhost:1 -data " + taken: "another shop-cluster is at work in " + taken,
		"-nats http://[::1]:1":                    "cannot connect to http://[::1]:1: ",
		"-nats nats://u:secret@[::1]:99999":       "invalid port",
		"-data " + filepath.Join(file, "x"):       "not a directory",
	} {
		var out, errs bytes.Buffer
		code := Command(t.Context(), strings.Fields(args), &out, &errs, func() int { return 0 })
		if code != 1 || strings.Count(errs.String(), "\n") != 1 || !strings.HasPrefix(errs.String(), "shop-cluster: ") ||
			!strings.Contains(errs.String(), want) || strings.Contains(errs.String(), "secret") {
			t.Errorf("%s: exit %d, %q; want 1 and one line with %q", args, code, errs.String(), want)
		}
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "shop-cluster-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestHelpSaysEveryFlag(t *testing.T) {
	var out bytes.Buffer
	if code := Command(t.Context(), []string{"-help"}, &out, &out, func() int { return 0 }); code != 0 || out.String() != usage {
		t.Errorf("exit %d, %q", code, out.String())
	}
}

func TestShopThatIsBegunIsNotMistakenForAnother(t *testing.T) {
	dir := halfDone(t)
	for args, want := range map[string]string{
		"-orders 201":         "was begun with 200 invented orders",
		"-nats nats://a":      "was begun with the embedded server",
		"-replay /some/where": "was begun with 200 invented orders",
	} {
		var out, errs bytes.Buffer
		code := Command(t.Context(), append(strings.Fields(args), "-data", dir), &out, &errs, func() int { return 0 })
		if code != 1 || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, %q; want %q", args, code, errs.String(), want)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "nats")); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := Command(t.Context(), []string{"-data", dir}, &out, &errs, func() int { return 0 })
	if code != 1 || !strings.Contains(errs.String(), "is not there any more") {
		t.Errorf("without its stream: exit %d, %q", code, errs.String())
	}
}

// The program is killed with all that it has not written; the three end by
// themselves, and another run goes on.
func TestTheThreeEndWithTheProgram(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), commandEnv+"="+strings.Join([]string{"-data", dir, "-orders", "3000"}, "\n"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "orders ") && !strings.Contains(lines.Text(), "orders 0 ") && strings.HasPrefix(lines.Text(), "0") {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // killed
	for _, role := range roles {
		db, err := persist(t.Context(), &reporter{to: json.NewEncoder(io.Discard)}, func() (*sqlite.DB, error) { return sqlite.Open(storeOf(dir, role)) })
		if err != nil {
			t.Fatalf("%s is still there: %v", role, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, heard := until(t, "shipping", 1500)
	s, err := Run(ctx, Config{Data: dir, Screen: quietly(t), heard: heard})
	if err != nil {
		t.Fatal(err)
	}
	if s.Shipping.Orders < 1500 {
		t.Errorf("shipping has %d orders, want 1500 at least", s.Shipping.Orders)
	}
}

func TestCommandPrintsTotals(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out, errs bytes.Buffer
	code := Command(t.Context(), strings.Fields("-orders 100 -chaos -kills 1"), &out, &errs, func() int { return 90 })
	if code != 0 || errs.Len() > 0 {
		t.Fatalf("exit %d, %s\n%s", code, errs.String(), out.String())
	}
	for _, want := range []string{"Replaying 100 invented orders", "process", "orders and cancellations", "The totals are exact"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestInterruptedBeforeAnythingHasBegun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := Command(ctx, []string{"-orders", "10"}, &out, &errs, func() int { return 0 }); code != exitInterrupted {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}
