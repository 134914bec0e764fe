package inspector

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

func TestThoseWhoAskTheSameAreSentTheSameBytes(t *testing.T) {
	var f feeds
	key := feedKey{name: "x"}
	a, b, other := f.join(key), f.join(key), f.join(feedKey{name: "x", access: View})
	if a != b || a == other {
		t.Fatal("feeds are not shared by key")
	}
	rendered := 0
	render := func() ([]byte, error) { rendered++; return []byte("text"), nil }
	first, _ := a.at(1, render)
	again, _ := b.at(1, render)
	if first != again || rendered != 1 {
		t.Errorf("rendered %d times for one sample", rendered)
	}
	if &first.packed()[0] != &again.packed()[0] {
		t.Error("compressed more than once")
	}
	if next, _ := a.at(2, render); next == first || rendered != 2 {
		t.Errorf("rendered %d times for two samples", rendered)
	}
	f.leave(a)
	f.leave(b)
	f.leave(other)
	if len(f.by) != 0 {
		t.Errorf("%d feeds are left that nobody uses", len(f.by))
	}
}

func TestAStreamIsCompressedForWhoTakesIt(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	signals.Topic[int](bus, "s").Emit(t.Context(), 1)
	server := httptest.NewServer(i)
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if h := response.Header; h.Get("Content-Encoding") != "gzip" || h.Get("X-Accel-Buffering") != "no" || h.Get("Vary") != "Accept-Encoding" {
		t.Errorf("headers %v", h)
	}
	unzip, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(unzip)
	for range 2 { // an event can be read before the next one comes
		if name, data := next(t, lines); name != "snapshot" || !strings.Contains(data, `"name":"s"`) {
			t.Fatalf("%s: %s", name, data)
		}
	}
	i.Close()
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Errorf("the stream does not end as gzip does: %v", err)
	}
}

func TestAnswersAreCompressedForWhoTakesThem(t *testing.T) {
	i := open(t, quietBus())
	for _, path := range []string{"", "snapshot.json", "graph.svg"} {
		plain := do(i, request(path)).Body.Bytes()
		w := do(i, request(path, func(r *http.Request) { r.Header.Set("Accept-Encoding", "br, gzip;q=0.8") }))
		got := w.Body.Bytes()
		if len(plain) >= worthwhile {
			r, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got, err = io.ReadAll(r); err != nil || w.Header().Get("Content-Encoding") != "gzip" {
				t.Errorf("%q: %v %v", path, err, w.Header())
			}
		}
		if len(got) < len(plain)/2 {
			t.Errorf("%q: %d bytes of %d", path, len(got), len(plain))
		}
	}
	if takesGzip(request("", func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip;q=0, identity") })) {
		t.Error("gzip;q=0 is taken for gzip")
	}
}

func TestAWithdrawnRightEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		var right atomic.Int32
		right.Store(int32(ViewPayloads))
		i := New(bus, Payloads(3), Authorize(func(*http.Request) Access { return Access(right.Load()) }))
		defer i.Close()
		s := signals.NewSync[string](signals.Name("s"), signals.OnBus(bus))
		s.Emit(t.Context(), "secret-word")
		dial, stop := serve(i)
		c := dial("live?view=signal&signal=s")
		r := bufio.NewReader(c)
		if _, data := next(t, r); !strings.Contains(data, "secret-word") {
			t.Error("the payload is not shown to who may see it")
		}
		right.Store(int32(View))
		next(t, r) // rendered before
		if _, data := next(t, r); strings.Contains(data, "secret-word") {
			t.Error("the payload is shown after the right to see it was withdrawn")
		}
		right.Store(int32(Denied))
		events := 0
		for line := ""; line != "0\r\n"; { // the last chunk of an answer
			var err error
			if line, err = r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, "event: ") {
				if events++; events > 9 {
					t.Fatal("the stream goes on after all rights were withdrawn")
				}
			}
		}
		if events > 1 { // one was rendered before
			t.Errorf("after all rights were withdrawn: %d more events", events)
		}
		_ = c.Close()
		stop()
	})
}

func TestARightThatEndsWhileOneWaitsIsNoRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		i := New(quietBus(), Authorize(func(*http.Request) Access {
			if time.Since(begun) > time.Second {
				return Denied
			}
			return View
		}))
		defer i.Close()
		if w := do(i, request("diagnosis.json?wait=5s")); w.Code != http.StatusForbidden {
			t.Errorf("%d; want 403", w.Code)
		}
	})
}

func TestThereIsAMostOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := New(quietBus())
		defer i.Close()
		dial, stop := serve(i)
		var conns []net.Conn
		for range maxStreams {
			c := dial("events?limit=1")
			next(t, bufio.NewReader(c))
			conns = append(conns, c)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // for a stream that is not refused
		defer cancel()
		w := do(i, request("events").WithContext(ctx))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("one more: %d", w.Code)
		}
		for _, c := range conns {
			_ = c.Close()
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		c := dial("events")
		next(t, bufio.NewReader(c))
		_ = c.Close()
		stop()
	})
}

func TestOneStreamTellsSeveralPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		fill(t, bus)
		dial, stop := serve(i)
		feeds := []string{"view=signals&q=order", "view=failures", "view=signal&signal=order.placed"}
		c := dial("live?" + url.Values{"feed": feeds}.Encode())
		r := bufio.NewReader(c)
		for range 2 {
			for _, want := range feeds {
				id := ""
				for id == "" {
					line, err := r.ReadString('\n')
					if err != nil {
						t.Fatal(err)
					}
					id, _ = strings.CutPrefix(strings.TrimRight(line, "\r\n"), "id: ")
					if !strings.HasPrefix(line, "id: ") {
						id = ""
					}
				}
				if id != want {
					t.Errorf("id %q; want %q", id, want)
				}
			}
		}
		_ = c.Close()
		stop()
	})
	i := open(t, quietBus())
	for _, query := range []string{strings.Repeat("feed=view%3Dsignals&", maxFeeds+1), "feed=a%0Ab", "feed=sort%3Dcolour", "feed=%25zz"} {
		if w := do(i, request("live?"+query)); w.Code != http.StatusBadRequest {
			t.Errorf("live?%s: %d; want 400", query, w.Code)
		}
	}
}

func TestWhatIsAskedIsBounded(t *testing.T) {
	i := open(t, quietBus())
	for name, query := range map[string]string{
		"words": "q=" + strings.Repeat("x", maxWords+1), "all": "signal=" + strings.Repeat("x", maxQuery), "window": "window=2m", "short window": "window=1ms", "no window": "window=x",
	} {
		w := do(i, request("snapshot.json?"+query))
		if w.Code != http.StatusBadRequest || w.Body.Len() > 500 {
			t.Errorf("%s: %d, %d bytes; want 400 and a short text", name, w.Code, w.Body.Len())
		}
	}
}

// bigBus has many signals with listeners.
func bigBus(n, listeners int) *signals.Bus {
	bus := quietBus()
	for k := range n {
		s := signals.NewSync[int](signals.Name(fmt.Sprintf("signal.%04d", k)), signals.OnBus(bus))
		for l := range listeners {
			s.AddListener(func(context.Context, int) {}, fmt.Sprintf("listener.%d", l))
		}
	}
	return bus
}

func TestAnswersAreBoundedWhateverIsAsked(t *testing.T) {
	i := open(t, bigBus(2000, 12))
	for path, most := range map[string]int{
		"": 1 << 20, "snapshot.json": 2 << 20, "snapshot.json?limit=0": 4 << 20, "snapshot.json?limit=999999&each=1&history=1": 8 << 20,
		"graph.json": 2 << 20, "graph.svg?limit=0": 6 << 20, "graph.dot?limit=0": 4 << 20, "graph?limit=0": 10 << 20,
	} {
		if n := len(get(t, i, path)); n > most {
			t.Errorf("%s: %d bytes; want at most %d", path, n, most)
		}
	}
	g := getJSON[Graph](t, i, "graph.json?limit=0&offset=1900")
	if g.Omitted != 1900 {
		t.Errorf("the last page of the graph leaves out %d", g.Omitted)
	}
}

// TestBrowsersThatDoNotReadShareWhatTheyAreSent: each holds at most the one
// event that is being written to it, and they all hold the same.
func TestBrowsersThatDoNotReadShareWhatTheyAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := New(bigBus(1000, 12))
		defer i.Close()
		dial, stop := serve(i)
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		size := uint64(len(get(t, i, "snapshot.json?limit=0&history=1")))
		before := heap()
		var conns []net.Conn
		for range 20 {
			conns = append(conns, dial("events?limit=0&history=1"))
		}
		synctest.Wait()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if after := heap(); after > before+6*size {
			t.Errorf("20 browsers that do not read hold %d KB; one event has %d KB", (after-before)>>10, size>>10)
		}
		for _, c := range conns {
			_ = c.Close()
		}
		stop()
	})
}

func TestWaitingPutsOffTheServersWriteTimeout(t *testing.T) {
	// HTTP/2 ends a stream as soon as its time is up; HTTP/1 at the next write.
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			var speaks http.Protocols
			speaks.SetHTTP1(version == "HTTP/1.1")
			speaks.SetUnencryptedHTTP2(version == "HTTP/2.0")
			server := httptest.NewUnstartedServer(open(t, quietBus()))
			server.Config.WriteTimeout = time.Second
			server.Config.Protocols = &speaks
			server.Start()
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{Protocols: &speaks}}
			defer client.CloseIdleConnections()
			response, err := client.Get(server.URL + "/diagnosis.json?wait=1500ms")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || !bytes.Contains(body, []byte(`"findings"`)) || response.Proto != version {
				t.Errorf("%v %s %s", err, response.Proto, body)
			}
		})
	}
}
