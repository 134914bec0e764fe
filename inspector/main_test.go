package inspector

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/signals"
)

var update = flag.Bool("update", false, "write the golden files")

// TestMain fails the run if goroutines of the package are left when all tests
// have ended.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 {
		code = leaks()
	}
	os.Exit(code)
}

func leaks() int {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(10 * time.Second)
	for {
		buf := make([]byte, 1<<20)
		all := string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(all, "inspector.(*Inspector)") {
			return 0
		}
		if time.Now().After(deadline) {
			fmt.Fprintf(os.Stderr, "goroutines are left after the tests:\n\n%s\n", all)
			return 1
		}
		<-tick.C
	}
}

// patient is how long a test waits for what must happen.
const patient = 20 * time.Second

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(patient)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		t.Fatalf("%s: still waiting after %v", what, patient)
		panic("unreachable")
	}
}

// open makes an inspector that the test closes.
func open(t testing.TB, bus *signals.Bus, opts ...Option) *Inspector {
	t.Helper()
	i := New(bus, opts...)
	t.Cleanup(i.Close)
	return i
}

// all lets everybody see everything.
func all(*http.Request) Access { return ViewPayloads }

// quietBus is a bus whose failures are not logged.
func quietBus() *signals.Bus {
	return signals.NewBus(signals.OnFailure(func(context.Context, signals.Failure) {}))
}

// request is one from this machine, changed by change.
func request(path string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/"+path, nil)
	r.RemoteAddr = "127.0.0.1:40000"
	for _, c := range change {
		c(r)
	}
	return r
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// get returns the body of a page, which must be there.
func get(t testing.TB, h http.Handler, path string) string {
	t.Helper()
	w := do(h, request(path))
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

func getJSON[T any](t testing.TB, h http.Handler, path string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(get(t, h, path)))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return v
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s has changed; if it is meant to, run go test ./inspector -update and look at it\n%s", file, got)
	}
}

// fresh takes a sample at once.
func (i *Inspector) fresh() { i.look(true) }
