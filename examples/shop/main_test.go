package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/exampletest"
	"example.com/signals/examples/internal/shop"
)

func TestMain(m *testing.M) {
	binary = exampletest.NewProgram("shop", fmt.Sprintf("-race=%t", raceEnabled))
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		binary.Remove()
		os.Exit(code)
	}))
}

const header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

const row = "536365,85123A,\"HEART, WHITE\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"

// raceEnabled is set by race_test.go.
var raceEnabled bool

// binary is the program, with the race detector if the tests have it.
var binary *exampletest.Program

// program is the shop, ready to start; it ends with the test at the latest.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return binary.Command(t, args...)
}

// file writes a file of that name and content.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWrongUseGivesOneClearLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var z bytes.Buffer
	gz := gzip.NewWriter(&z)
	io.WriteString(gz, header)
	for i := range 2_000 {
		fmt.Fprintf(gz, "%d,%x,x,1,2010-12-01 08:26:00,%d.5,,EIRE\n", i, i*i*7919, i%97)
	}
	gz.Close()

	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown flag", []string{"-frobnicate"}, shop.ExitUsage, "-frobnicate"},
		{"argument", []string{"replay"}, shop.ExitUsage, `"replay"`},
		{"bad speed", []string{"-speed", "fast"}, shop.ExitUsage, `"fast"`},
		{"bad speed of a replay", []string{"-replay", "-", "-speed", "-3x"}, shop.ExitUsage, `"-3x"`},
		{"no orders", []string{"-orders", "0"}, shop.ExitUsage, "-orders 0"},
		{"orders in words", []string{"-orders", "ten"}, shop.ExitUsage, `"ten"`},
		{"no file", []string{"-replay", ""}, shop.ExitUsage, "-replay needs a file"},
		{"both ways", []string{"-replay", "x", "-orders", "3"}, shop.ExitUsage, "-orders makes no sense with -replay"},
		{"chaos in a replay", []string{"-replay", "x", "-chaos"}, shop.ExitUsage, "-chaos makes no sense with -replay"},
		{"taken port", []string{"-http", taken.Addr().String()}, shop.ExitFailed, "address already in use"},
		{"strange port", []string{"-http", "127.0.0.1:99999"}, shop.ExitFailed, "invalid port"},
		{"missing file", []string{"-replay", filepath.Join(t.TempDir(), "none.csv")}, shop.ExitFailed, "no such file"},
		{"directory", []string{"-replay", t.TempDir()}, shop.ExitFailed, "is a directory"},
		{"empty file", []string{"-replay", file(t, "a.csv", "")}, shop.ExitFailed, "empty"},
		{"wrong columns", []string{"-replay", file(t, "a.csv", "a,b,c\n1,2,3\n")}, shop.ExitFailed, "3 columns"},
		{"noise", []string{"-replay", file(t, "a.csv", "\x00\x93\xff\"\x01")}, shop.ExitFailed, "no Online Retail file"},
		{"noise as gzip", []string{"-replay", file(t, "a.csv.gz", "\x00\x93\xff")}, shop.ExitFailed, "not a gzip file"},
		{"cut off", []string{"-replay", file(t, "a.csv.gz", z.String()[:z.Len()/2])}, shop.ExitFailed, "cut off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := exampletest.Finished(t, program(t, c.args...))
			if got.Code != c.code {
				t.Errorf("exit code %d, want %d", got.Code, c.code)
			}
			if !strings.HasPrefix(got.Stderr, "shop: ") || strings.Count(got.Stderr, "\n") != 1 || !strings.Contains(got.Stderr, c.want) {
				t.Errorf("stderr is %q, want one line with %q", got.Stderr, c.want)
			}
			if got.Stdout != "" {
				t.Errorf("stdout is %q, want nothing", got.Stdout)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	got := exampletest.Finished(t, program(t, "-help"))
	if got.Code != shop.ExitOK || got.Stderr != "" || !strings.HasPrefix(got.Stdout, "usage: ") {
		t.Errorf("%+v", got)
	}
}

func TestReplayOfStandardInput(t *testing.T) {
	cmd := program(t, "-replay", "-")
	cmd.Stdin = strings.NewReader(header + row + "C" + strings.Replace(row, ",6,", ",-6,", 1))
	got := exampletest.Finished(t, cmd)
	if got.Code != shop.ExitOK || got.Stderr != "" || !strings.Contains(got.Stdout, "nothing lost: 1 order and 1 cancellation,") {
		t.Errorf("%+v", got)
	}
}

func TestExitCodeTellsOfMalformedRows(t *testing.T) {
	got := exampletest.Finished(t, program(t, "-replay", file(t, "a.csv", header+row+"nonsense\n"+row)))
	want := "shop: line 3: 1 field, want 8; skipped\nshop: skipped 1 malformed row\n"
	if got.Code != shop.ExitMalformed || got.Stderr != want || !strings.Contains(got.Stdout, "all totals agree") {
		t.Errorf("%+v", got)
	}
}

func TestInterruptedReplay(t *testing.T) {
	// At 1x the second invoice comes a year later.
	later := strings.NewReplacer("536365", "2", "2010", "2011").Replace(row)
	cmd := program(t, "-replay", "-", "-speed", "1x")
	in, feed := io.Pipe()
	cmd.Stdin = in
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Pipes hold far less than this: once it is through, the program is
	// reading, so it has long set up its handling of Ctrl-C.
	if _, err := io.WriteString(feed, header+row+strings.Repeat(later, 10_000)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	_ = cmd.Wait() // the exit code is looked at next
	if code := cmd.ProcessState.ExitCode(); code != shop.ExitInterrupted || !strings.Contains(errs.String(), "interrupted") ||
		!strings.Contains(out.String(), "nothing lost: 1 order ") {
		t.Errorf("exit code %d, stderr %q, stdout %q", code, errs.String(), out.String())
	}
}

// A first SIGTERM ends a replay that waits for the first bytes of its input.
func TestInterruptedBeforeTheFirstByte(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	cmd := program(t, "-replay", pipe)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Once somebody reads the pipe it can be opened for writing, and the program has
	// long set up its handling of signals. Nothing is ever written.
	var silent int
	for deadline := time.Now().Add(30 * time.Second); ; {
		var err error
		if silent, err = syscall.Open(pipe, syscall.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			break
		}
		if !errors.Is(err, syscall.ENXIO) || time.Now().After(deadline) {
			t.Fatalf("nobody reads the pipe: %v", err)
		}
		runtime.Gosched()
	}
	defer syscall.Close(silent)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	_ = cmd.Wait() // the exit code is looked at next
	if code := cmd.ProcessState.ExitCode(); code != shop.ExitInterrupted || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit code %d, stderr %q", code, errs.String())
	}
}

// started starts the shop. It returns the address that the shop prints first,
// what it prints after that, once it has ended, and its errors.
func started(t *testing.T, cmd *exec.Cmd) (url string, rest <-chan string, stderr *bytes.Buffer) {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("no first line: %v; stderr: %s", err, stderr)
	}
	url = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(first)
	if url == "" {
		t.Fatalf("no address in %q", first)
	}
	text := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(lines)
		text <- string(b)
	}()
	return url, text, stderr
}

// TestShopWithGeneratorClientsAndCtrlC is a day in the life: invented
// customers, clients who order and cancel over HTTP, and Ctrl-C in the middle
// of it. Whatever a client was told is in the summary.
func TestShopWithGeneratorClientsAndCtrlC(t *testing.T) {
	cmd := program(t, "-speed", "10x")
	url, rest, stderr := started(t, cmd)

	clients := clients{busy: make(chan struct{})}
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() { clients.run(t, client, url, n) })
	}
	gone := make(chan struct{})
	go func() { wg.Wait(); close(gone) }()
	// Ctrl-C comes while everybody is busy.
	select {
	case <-clients.busy:
	case <-gone:
		t.Error("the clients were gone before Ctrl-C")
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-gone
	summary := <-rest
	if err := cmd.Wait(); err != nil {
		t.Errorf("the shop ended with %v; stderr: %s\n%s", err, stderr, summary)
	}

	created, cancelled, declined := clients.created.Load(), clients.cancelled.Load(), clients.declined.Load()
	m := regexp.MustCompile(`Orders accepted: (\d+) from the generator, (\d+) from clients; (\d+) refused; (\d+) cancelled`).FindStringSubmatch(summary)
	if m == nil {
		t.Fatalf("no count of orders in:\n%s", summary)
	}
	num := func(i int) int64 { n, _ := strconv.ParseInt(m[i], 10, 64); return n }
	// A client whose connection broke does not know how its last request ended.
	unsure := clients.unsure.Load()
	if num(1) == 0 || num(2) < created || num(2) > created+unsure {
		t.Errorf("%s; the clients know of %d (%d unsure)", m[0], created, unsure)
	}
	if refused := declined + clients.unavailable.Load(); num(3) < refused || num(4) < cancelled {
		t.Errorf("%s; the clients know of %d refused, %d cancelled", m[0], refused, cancelled)
	}
	if !strings.Contains(summary, "which is the revenue") {
		t.Errorf("the payment gateway does not agree:\n%s", summary)
	}
	if !strings.Contains(summary, fmt.Sprintf("nothing lost: %s orders", english.Group(num(1)+num(2)))) {
		t.Errorf("the summary does not add up:\n%s", summary)
	}
	t.Logf("%s; %d declined and %d cancelled by clients, %d unsure", m[0], declined, cancelled, unsure)
}

// clients count what they were told.
type clients struct {
	created, cancelled, declined, unavailable, unsure atomic.Int64

	busy chan struct{} // closed when enough orders have been created
}

// enoughOrders have been created when Ctrl-C comes.
const enoughOrders = 300

// run orders until the shop is gone.
func (c *clients) run(t *testing.T, client *http.Client, url string, n int) {
	for i := 0; ; i++ {
		card := "4242424242424242"
		if i%10 == 3 {
			card = "4000000000000002"
		}
		body := fmt.Sprintf(`{"customer":"http-%d","country":"France","card":%q,"lines":[{"stock_code":"85123A","quantity":1},{"stock_code":"21790","quantity":2}]}`, n, card)
		resp, err := client.Post(url+"/orders", "application/json", strings.NewReader(body))
		if err != nil {
			c.lost(err)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusCreated:
			if c.created.Add(1) == enoughOrders {
				close(c.busy)
			}
		case http.StatusPaymentRequired:
			c.declined.Add(1)
			continue
		case http.StatusBadGateway: // the payment gateway fails by its schedule
			c.unavailable.Add(1)
			continue
		case http.StatusServiceUnavailable:
			return
		default:
			t.Errorf("POST /orders: %s", resp.Status)
			return
		}
		if i%5 != 0 {
			continue
		}
		req, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, url+resp.Header.Get("Location"), http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err = client.Do(req)
		if err != nil {
			return
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			c.cancelled.Add(1)
		}
	}
}

// lost notes how a client's last request failed: if nobody answered the call,
// nothing was ordered; otherwise it may have been.
func (c *clients) lost(err error) {
	if !errors.Is(err, syscall.ECONNREFUSED) {
		c.unsure.Add(1)
	}
}

// grouped is n with a comma between every three digits.
func TestShopWithoutAudienceEndsAfterItsOrders(t *testing.T) {
	got := exampletest.Finished(t, program(t, "-orders", "200", "-speed", "max"))
	// One of them is an order that the gateway fails at for good.
	if got.Code != shop.ExitOK || !strings.Contains(got.Stdout, "Orders accepted: 199 from the generator, 0 from clients; 1 refused") ||
		!strings.Contains(got.Stdout, "nothing lost") || !strings.Contains(got.Stdout, "1 dead letter, 1 of them settled") {
		t.Errorf("%+v", got)
	}
}

func TestChaosIsFoundAndCtrlCEndsIt(t *testing.T) {
	cmd := program(t, "-chaos", "-speed", "4x", "-orders", "1000000")
	url, rest, stderr := started(t, cmd)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	found := regexp.MustCompile(`"kind": ?"stuck"[^}]*"name": ?"fraud-check"[^}]*"site": ?"shop/chaos\.go:\d+"`)
	for deadline := time.Now().Add(time.Minute); ; {
		resp, err := client.Get(url + "/signals/diagnosis.json?wait=1s")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if found.Match(text) {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("nobody is stuck: %s", text)
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	summary := <-rest
	if err := cmd.Wait(); err != nil || !strings.Contains(summary, "nothing lost") {
		t.Errorf("the shop ended with %v; stderr: %s\n%s", err, stderr, summary)
	}
}

func TestReplayOfTheRealFile(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	got := exampletest.Finished(t, program(t, "-replay", exampletest.RealFile(t, "online-retail.csv.gz")))
	// On a busy machine the library may warn that a listener is slow.
	stderr := regexp.MustCompile(`(?m)^.*level=WARN msg="signals: slow listener".*\n`).ReplaceAllString(got.Stderr, "")
	if got.Code != shop.ExitOK || stderr != "" {
		t.Errorf("exit code %d, stderr %q", got.Code, got.Stderr)
	}
	for name, want := range map[string]string{
		"lines": "541,909", "distinct invoices": "25,900", "of them cancellations": "3,836", "distinct customers": "4,372",
		"lines without a customer": "135,080", "distinct stock codes": "4,070", "lines priced at zero or below": "2,517",
		"quantity": "5,176,450", "revenue": "9,747,747.934",
	} {
		if !regexp.MustCompile(`(?m)^\s*` + name + `\s+` + regexp.QuoteMeta(want) + `\s+` + regexp.QuoteMeta(want) + `\s*$`).MatchString(got.Stdout) {
			t.Errorf("no line with %s, %s and %s again", name, want, want)
		}
	}
	if t.Failed() {
		t.Log(got.Stdout)
	}
}
