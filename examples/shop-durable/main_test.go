package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/signals/examples/internal/exampletest"
	"example.com/signals/examples/internal/shop"
)

var kills = flag.Int("kills", 4, "how often the live shop is killed")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		binary.Remove()
		os.Exit(code)
	}))
}

// binary is the program, always without the race detector: it makes SQLite in Go
// thirty times slower, and the tests of internal/durable have it.
var binary = exampletest.NewProgram("shop-durable")

// program is the shop, ready to start; it ends with the test at the latest.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return binary.Command(t, args...)
}

// finished runs the program to its end.
func finished(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	r := exampletest.Finished(t, cmd)
	return r.Code, r.Stdout, r.Stderr
}

const header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

// rows are so many invoices of so many lines.
func rows(invoices, lines int) string {
	var b strings.Builder
	for n := range invoices {
		for range lines {
			fmt.Fprintf(&b, "%d,85123A,\"HEART, WHITE\",6,2010-12-01 08:26:00,2.55,17850.0,France\n", n)
		}
	}
	return b.String()
}

// A signal ends a replay that waits for more of its input; what it has read is on
// the disk, and the next one goes on behind it.
func TestASignalEndsAReplayInOrder(t *testing.T) {
	for _, by := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		dir := t.TempDir()
		cmd := program(t, "-data", dir, "-replay", "-")
		feed, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Pipes and buffers hold far less than this: once it is through, the program
		// is reading, and has long set up its handling of signals.
		text := header + rows(150, 40)
		if _, err := io.WriteString(feed, text); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(by); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // the exit code is looked at next
		if code := cmd.ProcessState.ExitCode(); code != shop.ExitInterrupted || !strings.Contains(errs.String(), "interrupted; these are the totals so far") ||
			!strings.Contains(out.String(), "events agree") {
			t.Errorf("%v: exit code %d, stderr %q, stdout %q", by, code, errs.String(), out.String())
		}
		again := program(t, "-data", dir, "-replay", "-")
		again.Stdin = strings.NewReader(text)
		code, stdout, stderr := finished(t, again)
		if code != shop.ExitOK || !strings.Contains(stdout, "on disk: 6,000 lines of 150 invoices") || !strings.Contains(stdout, "known") {
			t.Errorf("%d %q\n%s", code, stderr, stdout)
		}
	}
}

func TestADirectoryThatCannotBeWrittenToIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(file, []byte(header+rows(2, 2)), 0o644); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "readonly") //nolint:usetesting // t.TempDir is for one user
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	cmd := program(t, "-data", dir, "-replay", "-")
	cmd.Stdin = strings.NewReader(header + rows(2, 2))
	if os.Geteuid() == 0 { // who may write everywhere
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	code, _, stderr := finished(t, cmd)
	if code != shop.ExitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, dir) || !strings.Contains(stderr, "writable") && !strings.Contains(stderr, "permission denied") {
		t.Errorf("%d %q", code, stderr)
	}
}

func TestKillDiesWhenSoManyAreOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	text := header + rows(500, 2)
	dies := program(t, "-data", dir, "-replay", "-", "-kill", "200")
	dies.Stdin = strings.NewReader(text)
	if code, stdout, stderr := finished(t, dies); code != -1 || !strings.Contains(stdout, "Killed when 200 more were on the disk") {
		t.Fatalf("%d %q %q", code, stdout, stderr)
	}
	again := program(t, "-data", dir, "-replay", "-")
	again.Stdin = strings.NewReader(text)
	code, stdout, stderr := finished(t, again)
	if code != shop.ExitOK || !strings.Contains(stdout, "on disk: 1,000 lines of 500 invoices") {
		t.Errorf("%d %q\n%s", code, stderr, stdout)
	}
	var had, lines int
	if _, err := fmt.Sscanf(stdout[strings.Index(stdout, " has ")+1:], "has %d invoices with %d lines", &had, &lines); err != nil || had < 200 || lines != 2*had {
		t.Errorf("%v: %d orders with %d lines were there, want 200 or more", err, had, lines)
	}
}

// answers are what clients of the live shop were told.
type answers struct {
	mu        sync.Mutex
	created   map[string]bool // guarded by mu
	cancelled map[string]bool // guarded by mu
}

// order orders, and now and then cancels, until the shop is gone.
func (a *answers) order(t *testing.T, client *http.Client, url string) {
	for n := 0; ; n++ {
		resp, err := client.Post(url+"/orders", "application/json", strings.NewReader(
			`{"country":"France","card":"4242424242424242","lines":[{"stock_code":"85123A","quantity":1},{"stock_code":"21790","quantity":2}]}`))
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		at := resp.Header.Get("Location")
		switch {
		case resp.StatusCode == http.StatusBadGateway: // the payment gateway fails by its schedule
			continue
		case resp.StatusCode != http.StatusCreated:
			t.Errorf("POST /orders: %s", resp.Status)
			return
		case err != nil:
			return // killed in the middle of the answer
		}
		a.mu.Lock()
		if a.created[at] {
			t.Errorf("%s was given to two orders", at)
		}
		a.created[at] = true
		a.mu.Unlock()
		if n%3 != 0 {
			continue
		}
		req, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, url+at, http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		if resp, err = client.Do(req); err != nil {
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("DELETE %s: %s", at, resp.Status)
			return
		}
		if err != nil {
			return
		}
		a.mu.Lock()
		a.cancelled[at] = true
		a.mu.Unlock()
	}
}

// check asks the shop for everything that anybody was told.
func (a *answers) check(t *testing.T, client *http.Client, url string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for at := range a.created {
		resp, err := client.Get(url + at)
		if err != nil {
			t.Fatal(err)
		}
		var order struct{ Status, Total string }
		err = json.NewDecoder(resp.Body).Decode(&order)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || order.Total == "" {
			t.Fatalf("%s was accepted; now: %s %+v %v", at, resp.Status, order, err)
		}
		if a.cancelled[at] && order.Status != "cancelled" {
			t.Fatalf("%s was cancelled; now it is %q", at, order.Status)
		}
	}
}

// The live shop is killed under load, again and again. Each time everything that a
// client was told is there; at last it closes in order, and all adds up.
// inspected waits until the inspector shows the store, with its projection.
func inspected(t *testing.T, client *http.Client, url string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var text []byte
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		resp, err := client.Get(url + "/signals/stores.json")
		if err != nil {
			t.Fatal(err)
		}
		text, err = io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		var all struct {
			Stores []struct {
				Name      string
				Head      int
				Listeners []struct{ Key string }
			}
		}
		if err := json.Unmarshal(text, &all); err == nil && len(all.Stores) == 1 && all.Stores[0].Name == "store" &&
			all.Stores[0].Head > 0 && len(all.Stores[0].Listeners) == 1 && all.Stores[0].Listeners[0].Key == "totals" {
			return
		}
	}
	t.Errorf("the inspector shows of the store: %s", text)
}

func TestWhatTheLiveShopHasToldSurvivesEveryKill(t *testing.T) {
	dir := t.TempDir()
	told := answers{created: map[string]bool{}, cancelled: map[string]bool{}}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for round := range *kills + 1 {
		cmd := program(t, "-data", dir, "-speed", "4x", "-orders", "1000000")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		output := bufio.NewReader(stdout)
		url := ""
		for url == "" {
			line, err := output.ReadString('\n')
			if err != nil {
				t.Fatalf("no address: %v; stderr: %s", err, &stderr)
			}
			url = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line)
		}
		rest := make(chan string, 1)
		go func() {
			b, _ := io.ReadAll(output)
			rest <- string(b)
		}()
		told.check(t, client, url)
		if round == *kills {
			inspected(t, client, url)
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			summary := <-rest
			if err := cmd.Wait(); err != nil || !strings.Contains(summary, "nothing lost") || !strings.Contains(summary, "events agree") || !strings.Contains(summary, "durability: ") {
				t.Errorf("%v; stderr: %s\n%s", err, &stderr, summary)
			}
			break
		}
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() { told.order(t, client, url) })
		}
		kill := time.AfterFunc(time.Duration(300+rand.IntN(700))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		clients.Wait() // the shop is gone
		kill.Stop()
		<-rest
		_ = cmd.Wait() // killed
		if t.Failed() {
			return
		}
	}
	t.Logf("%d orders accepted and %d of them cancelled, in %d lives", len(told.created), len(told.cancelled), *kills)
	if len(told.created) == 0 || len(told.cancelled) == 0 {
		t.Error("nobody ordered and cancelled")
	}
}
