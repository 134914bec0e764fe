package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.com/signals"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// started runs the program until the test cancels it.
func started(t *testing.T) (url string, s *Service, client *http.Client, end func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = NewService()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, l, s) }()
	client = &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
	return "http://" + l.Addr().String(), s, client, func() error {
		cancel()
		defer client.CloseIdleConnections()
		return <-ended
	}
}

func post(t *testing.T, client *http.Client, url, body string) (int, string) {
	t.Helper()
	resp, err := client.Post(url+"/orders", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestClientsSeeTheCauseAndNothingElse(t *testing.T) {
	url, _, client, end := started(t)
	for body, want := range map[string]struct {
		status int
		text   string
	}{
		`{"id":1,"item":"tea"}`:  {201, ""},
		`{"id":2}`:               {422, "the order is for nothing\n"},
		`{"id":3,"item":"lava"}`: {500, "the order could not be taken\n"},
		`tea`:                    {400, "want an order as JSON\n"},
	} {
		if status, text := post(t, client, url, body); status != want.status || text != want.text {
			t.Errorf("%s: %d %q, want %d %q", body, status, text, want.status, want.text)
		}
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestAStreamEndsWithItsClientAndWithTheServer(t *testing.T) {
	url, s, client, end := started(t)
	streams := func(n int) { // until the service has that many
		for deadline := time.Now().Add(20 * time.Second); s.accepted.Len() != 1+n; {
			if time.Now().After(deadline) {
				t.Fatalf("%d listeners, want shipping and %d streams", s.accepted.Len(), n)
			}
			_ = s.accepted.Drain(t.Context())
		}
	}
	open := func(ctx context.Context) *bufio.Reader {
		req, err := http.NewRequestWithContext(ctx, "GET", url+"/events", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return bufio.NewReader(resp.Body)
	}
	leaving, leave := context.WithCancel(t.Context())
	defer leave()
	open(leaving)
	staying := open(t.Context())
	streams(2)
	leave()
	streams(1)

	if status, _ := post(t, client, url, `{"id":7,"item":"tea"}`); status != 201 {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"event: accepted\n", "data: {\"id\":7,\"item\":\"tea\"}\n"} {
		if got, err := staying.ReadString('\n'); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if err := end(); err != nil { // with a stream open
		t.Error(err)
	}
	if err := s.Place(t.Context(), Order{8, "tea"}); !errors.Is(err, errClosed) {
		t.Errorf("an order after the end: %v", err)
	}
}

func TestAPageThatOpensBeginsWithTheLastOrders(t *testing.T) {
	url, _, client, end := started(t)
	for _, id := range []string{"1", "2"} {
		if status, _ := post(t, client, url, `{"id":`+id+`,"item":"tea"}`); status != 201 {
			t.Fatalf("status %d", status)
		}
	}
	resp, err := client.Get(url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, want := range []string{"event: accepted\n", "data: {\"id\":1,\"item\":\"tea\"}\n", "\n", "event: accepted\n", "data: {\"id\":2,\"item\":\"tea\"}\n"} {
		if got, err := lines.ReadString('\n'); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestARefusedOrderIsNoFailureOfTheService(t *testing.T) {
	s := NewService()
	if err := s.Place(t.Context(), Order{}); !signals.IsVeto(err) {
		t.Errorf("%v", err)
	}
	if st := s.placed.Stats(); st.Vetoes != 1 || st.Failures != 0 {
		t.Errorf("%v", st)
	}
}

func TestWhatWasAcceptedIsDeliveredAtTheEnd(t *testing.T) {
	url, s, client, end := started(t)
	release, delivered := make(chan struct{}), 0
	s.accepted.Subscribe(func(context.Context, Order) error { <-release; delivered++; return nil }, signals.Key("slow"))
	for range 5 {
		post(t, client, url, `{"id":1,"item":"tea"}`)
	}
	time.AfterFunc(10*time.Millisecond, func() { close(release) })
	if err := end(); err != nil || delivered != 5 {
		t.Errorf("%v, %d of 5 delivered", err, delivered)
	}
}
