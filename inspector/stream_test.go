package inspector

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// pipes is a listener whose connections are in memory and have no buffer at
// all, so that a browser that does not read blocks the very next write.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

// loopback is the end of a pipe as the server sees it: it comes from here.
type loopback struct{ net.Conn }

func (loopback) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return loopback{c}, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

// serve runs a server for the handler; dial connects to it and asks for path.
func serve(h http.Handler) (dial func(path string) net.Conn, stop func()) {
	p := &pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(p) }()
	return func(path string) net.Conn {
		here, there := net.Pipe()
		p.conns <- there
		_, _ = io.WriteString(here, "GET /"+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		return here
	}, func() { _ = server.Close() }
}

// next reads the next event of a stream, without what is of the transport.
func next(t *testing.T, r *bufio.Reader) (name, data string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "event: "):
			name = line[7:]
		case strings.HasPrefix(line, "data: "):
			data += line[6:] + "\n"
		case line == "" && name != "" && data != "":
			return name, data
		}
	}
}

func TestEventsTellASnapshotEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		s := signals.Topic[int](bus, "s")
		s.AddListener(func(context.Context, int) {})
		dial, stop := serve(i)
		c := dial("events?q=s&history=1")
		r := bufio.NewReader(c)
		for k := range 5 {
			name, data := next(t, r)
			var snap Snapshot
			if err := json.Unmarshal([]byte(data), &snap); err != nil || name != "snapshot" {
				t.Fatalf("%s %v: %s", name, err, data)
			}
			if got := snap.Signals[0].Emissions; got != uint64(10*k) {
				t.Errorf("event %d: %d emissions; want %d", k, got, 10*k)
			}
			if k > 1 && (snap.Interval != 1 || snap.Signals[0].EmitRate != 10 || len(snap.Signals[0].History.Rates) != k) {
				t.Errorf("event %d: %v/s over %vs, %d points", k, snap.Signals[0].EmitRate, snap.Interval, len(snap.Signals[0].History.Rates))
			}
			for range 10 {
				s.Emit(t.Context(), 1)
			}
		}
		_ = c.Close()
		stop()
		synctest.Wait()
		i.mu.RLock()
		defer i.mu.RUnlock()
		if i.watched != 0 {
			t.Errorf("%d streams are counted after the last has gone", i.watched)
		}
	})
}

func TestTheLivePageIsTheBodyOfThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		fill(t, bus)
		i.fresh()
		dial, stop := serve(i)
		for view, page := range map[string]string{
			"live?view=signals&q=order": "?q=order", "live?view=graph": "graph", "live?view=failures": "failures",
			"live?view=signal&signal=order.placed": "signal?signal=order.placed", "live?view=diagnosis": "diagnosis",
		} {
			c := dial(view)
			name, data := next(t, bufio.NewReader(c))
			_, want, _ := strings.Cut(get(t, i, page), ">\n\n<header")
			want, _, _ = strings.Cut("<header"+want, "\n</body>")
			if name != "page" || strings.TrimSpace(data) != strings.TrimSpace(want) {
				t.Errorf("%s: got\n%s\nwant\n%s", view, data, want)
			}
			_ = c.Close()
		}
		stop()
	})
}

func TestAStalledBrowserHoldsUpNobodyAndIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.Topic[int](bus, "s")
		s.AddListener(func(context.Context, int) {})
		ended := make(chan struct{})
		dial, stop := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			i.ServeHTTP(w, r)
			if strings.HasPrefix(r.URL.Path, "/live") {
				close(ended)
			}
		}))
		stalled := dial("live?view=signals")
		synctest.Wait() // its stream now waits for somebody to read
		begun := time.Now()
		for range 1000 {
			if err := s.EmitWait(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		other := dial("events")
		r := bufio.NewReader(other)
		for range 3 {
			next(t, r)
		}
		if took := time.Since(begun); took != 2*time.Second { // three events, a second apart
			t.Errorf("another stream took %v; want 2s", took)
		}
		<-ended
		if took := time.Since(begun); took != patience {
			t.Errorf("the stalled stream ended after %v; want %v", took, patience)
		}
		_ = stalled.Close()
		_ = other.Close()
		stop()
	})
}

func TestASlowBrowserGetsTheLatestAndNotWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.Topic[int](bus, "s")
		dial, stop := serve(i)
		c := dial("events")
		r := bufio.NewReader(c)
		next(t, r)
		time.Sleep(time.Second / 2) // not at the same time as the samples
		for range 7 {
			s.Emit(t.Context(), 1)
			time.Sleep(time.Second)
		}
		next(t, r) // was rendered before the pause ended
		_, data := next(t, r)
		var snap Snapshot
		if err := json.Unmarshal([]byte(data), &snap); err != nil {
			t.Fatal(err)
		}
		if got := snap.Signals[0].Emissions; got != 7 {
			t.Errorf("after the pause: %d emissions; want 7", got)
		}
		_ = c.Close()
		stop()
	})
}

func TestCloseEndsStreamsAndLetsGoOfTheBus(t *testing.T) {
	bus := quietBus()
	i := New(bus, Payloads(3), Authorize(all))
	server := httptest.NewServer(i)
	defer server.Close()
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
	s.AddListener(func(context.Context, int) { panic("oh") })
	s.Emit(t.Context(), 1)
	response, err := server.Client().Get(server.URL + "/events") //nolint:bodyclose // by the goroutine that reads it
	if err != nil {
		t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("Content-Type %q", kind)
	}
	ended := make(chan error, 1)
	go func() {
		defer response.Body.Close()
		_, err := io.Copy(io.Discard, response.Body)
		ended <- err
	}()
	i.Close()
	i.Close()
	if err := await(t, ended, "the end of the stream"); err != nil {
		t.Error(err)
	}
	s.Emit(t.Context(), 2)
	if got := i.failures.list(query{}, false).Total; got != 1 {
		t.Errorf("%d failures seen after Close; want the 1 before", got)
	}
	if got := len(i.tails.list("s")); got != 1 {
		t.Errorf("%d payloads seen after Close; want the 1 before", got)
	}
	get(t, i, "") // still answers
}
