package inspector

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"example.com/signals"
)

func TestOnlyThisMachineMayLookUnlessAuthorizeSaysOtherwise(t *testing.T) {
	i := open(t, quietBus())
	for _, c := range []struct {
		name, peer, host string
		header           [2]string
		want             int
	}{
		{"IPv4", "127.0.0.1:1", "127.0.0.1:8080", [2]string{}, 200},
		{"IPv4, another loopback address", "127.9.9.9:1", "127.0.0.2", [2]string{}, 200},
		{"IPv6", "[::1]:1", "[::1]:8080", [2]string{}, 200},
		{"IPv6 without port", "[::1]:1", "[::1]", [2]string{}, 200},
		{"IPv4 as IPv6", "[::ffff:127.0.0.1]:1", "LOCALHOST:80", [2]string{}, 200},
		{"a peer elsewhere", "192.0.2.7:1", "localhost:8080", [2]string{}, 403},
		{"a peer elsewhere, IPv6", "[2001:db8::1]:1", "localhost:8080", [2]string{}, 403},
		{"DNS rebinding", "127.0.0.1:1", "evil.example:8080", [2]string{}, 403},
		{"DNS rebinding, a name that begins well", "127.0.0.1:1", "localhost.evil.example", [2]string{}, 403},
		{"DNS rebinding, an address as a label", "127.0.0.1:1", "127.0.0.1.evil.example", [2]string{}, 403},
		{"no Host", "127.0.0.1:1", "", [2]string{}, 403},
		{"only a port", "127.0.0.1:1", ":8080", [2]string{}, 403},
		{"any address", "127.0.0.1:1", "0.0.0.0:8080", [2]string{}, 403},
		{"no peer", "", "localhost", [2]string{}, 403},
		{"a Unix socket", "@", "localhost", [2]string{}, 403},
		{"forwarded for somebody", "127.0.0.1:1", "localhost", [2]string{"X-Forwarded-For", "192.0.2.7"}, 403},
		{"forwarded, it says, for this machine", "192.0.2.7:1", "localhost", [2]string{"X-Forwarded-For", "127.0.0.1"}, 403},
		{"forwarded, an empty header", "127.0.0.1:1", "localhost", [2]string{"X-Forwarded-For", ""}, 403},
		{"Forwarded", "127.0.0.1:1", "localhost", [2]string{"Forwarded", "for=127.0.0.1;host=localhost"}, 403},
		{"X-Forwarded-Host does not stand for Host", "127.0.0.1:1", "evil.example", [2]string{"X-Forwarded-Host", "localhost"}, 403},
		{"a page of another site", "127.0.0.1:1", "localhost", [2]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"the inspector's own page", "127.0.0.1:1", "localhost", [2]string{"Sec-Fetch-Site", "same-origin"}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"", "snapshot.json", "app.js", "graph.svg", "nothing"} {
				want := c.want
				if path == "nothing" && want == 200 {
					want = 404
				}
				w := do(i, request(path, func(r *http.Request) {
					r.RemoteAddr, r.Host = c.peer, c.host
					if c.header[0] != "" {
						r.Header.Set(c.header[0], c.header[1])
					}
				}))
				if w.Code != want {
					t.Errorf("GET %q: %d; want %d", path, w.Code, want)
				}
			}
		})
	}
}

func TestStreamsAreRefusedToo(t *testing.T) {
	i := open(t, quietBus())
	for _, path := range []string{"events", "live"} {
		if w := do(i, request(path, func(r *http.Request) { r.Host = "evil.example" })); w.Code != http.StatusForbidden {
			t.Errorf("GET %s: %d; want 403", path, w.Code)
		}
	}
}

func TestALinkFromAnotherSiteMayBeFollowed(t *testing.T) {
	i := open(t, quietBus())
	w := do(i, request("", func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
	}))
	if w.Code != http.StatusOK {
		t.Errorf("%d; want 200", w.Code)
	}
}

func TestPayloadsAreARightOfTheirOwn(t *testing.T) {
	bus := quietBus()
	granted := Denied
	i := open(t, bus, Payloads(5), Authorize(func(r *http.Request) Access {
		if r.Host == "" {
			t.Error("Authorize got a request without Host")
		}
		return granted
	}))
	s := signals.NewSync[string](signals.Name("s"), signals.OnBus(bus))
	s.AddListener(func(context.Context, string) { panic("oh") })
	s.Emit(t.Context(), "secret-word")
	elsewhere := func(r *http.Request) { r.RemoteAddr, r.Host = "192.0.2.7:1", "ops.example" }
	const signal, tail, failures = "signal?signal=s", "payloads.json?signal=s", "failures.json"
	for _, c := range []struct {
		access Access
		path   string
		code   int
		secret bool
	}{
		{Denied, signal, 403, false}, {Denied, tail, 403, false}, {Denied, failures, 403, false},
		{View, signal, 200, false}, {View, tail, 403, false}, {View, failures, 200, false},
		{ViewPayloads, signal, 200, true}, {ViewPayloads, tail, 200, true}, {ViewPayloads, failures, 200, true},
	} {
		granted = c.access
		w := do(i, request(c.path, elsewhere))
		if w.Code != c.code || strings.Contains(w.Body.String(), "secret-word") != c.secret {
			t.Errorf("access %d: GET %s: %d, payload shown: %v; want %d, %v", c.access, c.path, w.Code, !c.secret, c.code, c.secret)
		}
	}
}

func TestWithoutTheOptionNoPayloadIsKept(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	s := signals.NewSync[string](signals.Name("s"), signals.OnBus(bus))
	s.AddListener(func(context.Context, string) { panic("oh") })
	s.Emit(t.Context(), "secret-word")
	if w := do(i, request("payloads.json?signal=s")); w.Code != http.StatusNotFound {
		t.Errorf("payloads.json: %d; want 404", w.Code)
	}
	for _, path := range []string{"failures.json", "failures", "signal?signal=s"} {
		if body := get(t, i, path); strings.Contains(body, "secret-word") {
			t.Errorf("%s shows a payload", path)
		}
	}
}

func TestNothingCanBeChanged(t *testing.T) {
	i := open(t, quietBus())
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
		w := do(i, request("", func(r *http.Request) { r.Method = method }))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
			t.Errorf("%s: %d, Allow %q; want 405 and what is allowed", method, w.Code, w.Header().Get("Allow"))
		}
	}
	if w := do(i, request("snapshot.json", func(r *http.Request) { r.Method = "HEAD" })); w.Code != 200 || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d and %d bytes; want 200 and none", w.Code, w.Body.Len())
	}
}

func TestEveryAnswerHasTheHeadersOfSecurity(t *testing.T) {
	i := open(t, quietBus())
	for _, path := range []string{"", "graph.svg", "snapshot.json", "app.css", "nothing", "snapshot.json?sort=x"} {
		for _, host := range []string{"localhost", "evil.example"} {
			h := do(i, request(path, func(r *http.Request) { r.Host = host })).Header()
			csp := h.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"} {
				if !strings.Contains(csp, want) {
					t.Errorf("%s of %s: Content-Security-Policy %q lacks %q", path, host, csp, want)
				}
			}
			if strings.Contains(csp, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s of %s: headers %v", path, host, h)
			}
		}
	}
}
