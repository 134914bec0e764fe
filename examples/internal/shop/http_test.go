package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const goodOrder = `{"customer":"12346","country":"France","card":"4242424242424242","lines":[{"stock_code":"85123A","quantity":2}]}`

// call makes one request and decodes the reply.
func call(t testing.TB, h http.Handler, method, path, body string) (status int, reply map[string]any, header http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost:8080"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(w, r)
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("%s %s: %s", method, path, got)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil {
		t.Errorf("%s %s: %v in %q", method, path, err, w.Body)
	}
	return w.Code, reply, w.Header()
}

func TestOrderOverHTTP(t *testing.T) {
	s := opened(t, nil)
	api := NewAPI(s)
	status, reply, header := call(t, api, "POST", "/orders", goodOrder)
	if status != http.StatusCreated || reply["status"] != "accepted" || reply["total"] != "5.10" || reply["receipt"] == "" {
		t.Fatalf("POST: %d %v", status, reply)
	}
	path := header.Get("Location")
	if path != fmt.Sprintf("/orders/%v", reply["id"]) {
		t.Errorf("Location: %s", path)
	}
	if status, again, _ := call(t, api, "GET", path, ""); status != 200 || fmt.Sprint(again) != fmt.Sprint(reply) {
		t.Errorf("GET: %d %v, want %v", status, again, reply)
	}
	if status, reply, _ := call(t, api, "DELETE", path, ""); status != 200 || reply["status"] != "cancelled" {
		t.Errorf("DELETE: %d %v", status, reply)
	}
	if status, reply, _ := call(t, api, "DELETE", path, ""); status != http.StatusConflict || reply["field"] != "id" {
		t.Errorf("second DELETE: %d %v", status, reply)
	}
	if got := s.Stock.Level("85123A"); got != 1000 {
		t.Errorf("%d on the shelf, want 1000", got)
	}

	closed(t, s)
	status, reply, _ = call(t, api, "GET", "/stats", "")
	orders, _ := reply["orders"].(map[string]any)
	if status != 200 || orders["accepted"] != 1.0 || orders["clients"] != 1.0 || orders["cancelled"] != 1.0 || reply["revenue"] != "0.00" {
		t.Errorf("GET /stats: %d %v", status, reply)
	}
	if list, _ := reply["signals"].([]any); len(list) != 11 {
		t.Errorf("/stats knows %d signals, want 11", len(list))
	}
	if status, reply, _ := call(t, api, "POST", "/orders", goodOrder); status != http.StatusServiceUnavailable {
		t.Errorf("POST to a closed shop: %d %v", status, reply)
	}
}

func TestWrongInputNamesTheField(t *testing.T) {
	api := NewAPI(opened(t, nil))
	with := func(old, now string) string {
		if !strings.Contains(goodOrder, old) {
			t.Fatalf("no %s in the order", old)
		}
		return strings.Replace(goodOrder, old, now, 1)
	}
	many := strings.TrimSuffix(strings.Repeat(`{"stock_code":"85123A","quantity":2},`, 101), ",")
	for _, c := range []struct {
		name, body string
		status     int
		field      string
	}{
		{"no body", "", 400, "body"},
		{"no JSON", "hello", 400, "body"},
		{"half an order", goodOrder[:50], 400, "body"},
		{"two orders", goodOrder + goodOrder, 400, "body"},
		{"a list", "[" + goodOrder + "]", 400, "body"},
		{"null", "null", 400, "country"},
		{"too large", with("France", strings.Repeat("x", maxBody)), 413, "body"},
		{"unknown field", with("country", "countri"), 400, "countri"},
		{"no country", with(`"country":"France",`, ""), 400, "country"},
		{"long country", with("France", strings.Repeat("x", 65)), 400, "country"},
		{"long customer", with("12346", strings.Repeat("x", 65)), 400, "customer"},
		{"customer is a number", with(`"12346"`, "12346"), 400, "customer"},
		{"no card", with(`"card":"4242424242424242",`, ""), 400, "card"},
		{"a strange card", with("4242424242424242", "4242-4242-4242"), 400, "card"},
		{"no funds", with("4242424242424242", "4000000000000002"), 402, "card"},
		{"no lines", with(`{"stock_code":"85123A","quantity":2}`, ""), 400, "lines"},
		{"too many lines", with(`{"stock_code":"85123A","quantity":2}`, many), 400, "lines"},
		{"lines is an object", with(`[{"stock_code":"85123A","quantity":2}]`, "{}"), 400, "lines"},
		{"nothing of it", with(`"quantity":2`, `"quantity":0`), 400, "lines[0].quantity"},
		{"less than nothing", with(`"quantity":2`, `"quantity":-2`), 400, "lines[0].quantity"},
		{"half of it", with(`"quantity":2`, `"quantity":0.5`), 400, "lines.quantity"},
		{"a word of it", with(`"quantity":2`, `"quantity":"two"`), 400, "lines.quantity"},
		{"too much", with(`"quantity":2`, `"quantity":10001`), 400, "lines[0].quantity"},
		{"far too much", with(`"quantity":2`, `"quantity":99999999999999999999`), 400, "lines.quantity"},
		{"not on sale", with("85123A", "nothing"), 400, "lines[0].stock_code"},
		{"not enough", with(`"quantity":2`, `"quantity":1001`), 409, "lines[0].quantity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, reply, _ := call(t, api, "POST", "/orders", c.body)
			if status != c.status || reply["field"] != c.field || reply["error"] == "" {
				t.Errorf("got %d %v, want %d and field %s", status, reply, c.status, c.field)
			}
		})
	}
}

func TestWrongAddressIsSaidInJSON(t *testing.T) {
	api := NewAPI(opened(t, nil))
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/order", 404}, {"GET", "/orders/none", 404}, {"DELETE", "/orders/none", 404}, {"POST", "/order", 404},
		{"GET", "/orders", 405}, {"PUT", "/orders/1", 405}, {"POST", "/stats", 405},
	} {
		status, reply, header := call(t, api, c.method, c.path, "")
		if text := fmt.Sprint(reply["error"]); status != c.status || text == "" || strings.Contains(text, "signals:") || strings.Contains(text, "listener") {
			t.Errorf("%s %s: %d %v, want %d", c.method, c.path, status, reply, c.status)
		}
		if c.status == 405 && header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
	}
}

// A page of another site, open in a browser on this machine, can send requests
// here. None may order or cancel anything.
// The text of the chain, with the names of its steps and signals, is for the log.
func TestClientsAreToldTheCauseAlone(t *testing.T) {
	s := opened(t, func(c *Config) {
		c.Ledger = failingLedger{NewMemoryLedger(1), errors.New("disk 7 at 10.0.0.3 is full")}
	})
	api := NewAPI(s)
	defer api.insp.Close()
	for _, c := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"DELETE", "/orders/none", "", 404, "no such order"},
		{"GET", "/orders/none", "", 404, "no such order"},
		{"POST", "/orders", strings.Replace(goodOrder, `"quantity":2`, `"quantity":0`, 1), 400, "lines[0].quantity must be at least 1"},
		{"POST", "/orders", strings.Replace(goodOrder, "4242424242424242", "400000000000"+declinedSuffix, 1), 402, "payment of 5.10 declined: the card ending in 0002 has no funds"},
		{"POST", "/orders", strings.Replace(goodOrder, `"quantity":2`, `"quantity":1001`, 1), 409, "out of stock: 1001 of 85123A wanted, 1000 left"},
		{"POST", "/orders", goodOrder, 500, "the shop could not do this; it has been told why"},
	} {
		if status, reply, _ := call(t, api, c.method, c.path, c.body); status != c.status || reply["error"] != c.text {
			t.Errorf("%s %s %s: %d %v; want %d %q", c.method, c.path, c.body, status, reply, c.status, c.text)
		}
	}
}

func TestAnotherSitesPageCannotOrder(t *testing.T) {
	s := opened(t, nil)
	api := NewAPI(s, "shop.example")
	if _, err := s.Place(t.Context(), order("1")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, url string
		header      map[string]string
		status      int
	}{
		"a text, as a page may send unasked": {"POST", "http://localhost/orders", map[string]string{"Content-Type": "text/plain"}, 415},
		"a form":                             {"POST", "http://localhost/orders", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 415},
		"no type at all":                     {"POST", "http://localhost/orders", nil, 415},
		"JSON from elsewhere":                {"POST", "http://localhost/orders", map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403},
		"an old browser":                     {"POST", "http://localhost/orders", map[string]string{"Content-Type": "application/json", "Origin": "https://evil.example"}, 403},
		"a cancellation":                     {"DELETE", "http://localhost/orders/1", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"a name that leads here":             {"POST", "http://evil.example/orders", map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}, 403},
		"a name that leads here, reading":    {"GET", "http://evil.example/orders/1", nil, 403},
		"our own page":                       {"POST", "http://localhost/orders", map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}, 201},
		"our own page, by name":              {"POST", "http://Shop.Example:8080/orders", map[string]string{"Content-Type": "application/json; charset=utf-8", "Origin": "http://Shop.Example:8080"}, 201},
		"a program":                          {"POST", "http://[::1]:8080/orders", map[string]string{"Content-Type": "application/json"}, 201},
		"another machine":                    {"POST", "http://192.0.2.7/orders", map[string]string{"Content-Type": "application/json"}, 201},
	} {
		before := s.Orders()
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.url, strings.NewReader(goodOrder))
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != c.status || (s.Orders() > before) != (c.status == 201) || s.Cancellations() > 0 {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
	}
}

// local makes a request as somebody on this machine would.
func local(t testing.TB, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost"+path, http.NoBody)
	r.RemoteAddr = "127.0.0.1:40000"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestInspectorAndMetricsAreMounted(t *testing.T) {
	s := opened(t, nil)
	api := NewAPI(s)
	defer api.insp.Close()
	if _, err := s.Place(t.Context(), order("1")); err != nil {
		t.Fatal(err)
	}
	if w := local(t, api, "/"); w.Code != http.StatusFound || w.Header().Get("Location") != "/signals/" {
		t.Errorf("/: %d to %s", w.Code, w.Header().Get("Location"))
	}
	if w := local(t, api, "/signals/"); w.Code != 200 || !strings.Contains(w.Body.String(), "order.accepted") {
		t.Errorf("/signals/: %d %s", w.Code, w.Body)
	}
	if w := local(t, api, "/metrics"); w.Code != 200 || !strings.Contains(w.Body.String(), `signals_emissions_total{signal="order.placed"} 1`) {
		t.Errorf("/metrics: %d %s", w.Code, w.Body)
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/signals/", http.NoBody))
	if w.Code != http.StatusForbidden {
		t.Errorf("/signals/ from elsewhere: %d", w.Code)
	}
}

func TestOpenPageDoesNotDelayClosing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := NewAPI(opened(t, nil)).Serve(l)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + l.Addr().String() + "/signals/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	// The stream would go on for ever.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestUnusedConnectionDoesNotDelayClosing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := NewAPI(opened(t, nil)).Serve(l)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A second client is served, so the first has been let in before.
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get("http://" + l.Addr().String() + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	// net/http itself would wait for five seconds.
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Error(err)
	}
	client.CloseIdleConnections()
}
