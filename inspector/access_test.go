package inspector

import (
	"context"
	"net"
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
		{"Via", "127.0.0.1:1", "localhost", [2]string{"Via", "1.1 cache"}, 403},
		{"X-Real-IP", "127.0.0.1:1", "localhost", [2]string{"X-Real-IP", "192.0.2.7"}, 403},
		{"Cloudflare", "127.0.0.1:1", "localhost", [2]string{"CF-Connecting-IP", "192.0.2.7"}, 403},
		{"Cloudflare, a header to come", "127.0.0.1:1", "localhost", [2]string{"Cf-New", "1"}, 403},
		{"any X-Forwarded", "127.0.0.1:1", "localhost", [2]string{"X-Forwarded-Anything", "1"}, 403},
		{"a proxy's user", "127.0.0.1:1", "localhost", [2]string{"Tailscale-User-Login", "alice"}, 403},
		{"Proxy-Connection", "127.0.0.1:1", "localhost", [2]string{"Proxy-Connection", "keep-alive"}, 403},
		{"a connection that is to be closed", "127.0.0.1:1", "localhost", [2]string{"Connection", "close"}, 403},
		{"Connection that names headers", "127.0.0.1:1", "localhost", [2]string{"Connection", "keep-alive, X-Forwarded-For"}, 403},
		{"a connection that is to be kept", "127.0.0.1:1", "localhost", [2]string{"Connection", "Keep-Alive"}, 200},
		{"an ordinary client's headers", "127.0.0.1:1", "localhost", [2]string{"X-Request-Id", "7"}, 200},
		{"a page of the same site and another port", "127.0.0.1:1", "localhost", [2]string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a page of another origin, of an old browser", "127.0.0.1:1", "localhost", [2]string{"Origin", "http://evil.example"}, 403},
		{"a page without an origin", "127.0.0.1:1", "localhost", [2]string{"Origin", "null"}, 403},
		{"the same origin", "127.0.0.1:1", "localhost", [2]string{"Origin", "http://localhost"}, 200},
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

func TestNginxAsItComesIsRefused(t *testing.T) {
	i := open(t, quietBus())
	// proxy_pass http://127.0.0.1:8080 and nothing else: no header tells.
	w := do(i, request("", func(r *http.Request) {
		r.Host, r.Proto, r.ProtoMajor, r.ProtoMinor = "127.0.0.1:8080", "HTTP/1.0", 1, 0
		r.Header.Set("Connection", "close")
	}))
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "HTTP/1.0, as proxies do") || !strings.Contains(w.Body.String(), "inspector.Authorize") {
		t.Errorf("%d %s; want 403 and why", w.Code, w.Body)
	}
}

// unixAddr is what a server says of a Unix socket.
type unixAddr struct{}

func (unixAddr) Network() string { return "unix" }
func (unixAddr) String() string  { return "@" }

func TestAUnixSocketIsOfThisMachine(t *testing.T) {
	i := open(t, quietBus())
	for host, want := range map[string]int{"localhost": 200, "evil.example": 403} {
		r := request("", func(r *http.Request) { r.RemoteAddr, r.Host = "@", host })
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(unixAddr{})))
		if w := do(i, r); w.Code != want {
			t.Errorf("asked as %s: %d; want %d", host, w.Code, want)
		}
	}
}

func TestDefaultAccessNeverShowsPayloads(t *testing.T) {
	bus := quietBus()
	i := open(t, bus, Payloads(5))
	s := signals.NewSync[string](signals.Name("s"), signals.OnBus(bus))
	s.AddListener(func(context.Context, string) { panic("oh") })
	s.Emit(t.Context(), "secret-word")
	if i.tails != nil {
		t.Error("payloads are kept that nobody may see")
	}
	if w := do(i, request("payloads.json?signal=s")); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "inspector.Authorize") {
		t.Errorf("payloads.json: %d %s; want 403 and what to do", w.Code, w.Body)
	}
	for _, path := range []string{"", "signal?signal=s", "failures", "failures.json", "snapshot.json", "diagnosis.json"} {
		if body := get(t, i, path); strings.Contains(body, "secret-word") {
			t.Errorf("%q shows a payload", path)
		}
	}
	if page := get(t, i, "signal?signal=s"); !strings.Contains(page, "only with <code>inspector.Authorize</code>") {
		t.Error("the page does not say why it shows no payloads")
	}
}

func TestThePageSaysWhoMayLook(t *testing.T) {
	const notice = "Behind a reverse proxy that is everybody"
	if page := get(t, open(t, quietBus()), ""); !strings.Contains(page, notice) {
		t.Error("without Authorize the page does not say that everybody behind a proxy may look")
	}
	if page := get(t, open(t, quietBus(), Authorize(all)), ""); strings.Contains(page, notice) {
		t.Error("with Authorize the page warns of proxies")
	}
}

func TestALinkMayNotBeAFrame(t *testing.T) {
	i := open(t, quietBus())
	w := do(i, request("", func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "iframe")
	}))
	if w.Code != http.StatusForbidden {
		t.Errorf("%d; want 403", w.Code)
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
	if w := do(i, request("payloads.json?signal=s")); w.Code != http.StatusForbidden {
		t.Errorf("payloads.json: %d; want 403", w.Code)
	}
	granted := open(t, bus, Authorize(all))
	if w := do(granted, request("payloads.json?signal=s")); w.Code != http.StatusNotFound {
		t.Errorf("payloads.json for who may see them: %d; want 404", w.Code)
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

func TestLocalOnlyIsTheRuleForFunctionsThatLetOthersInBesides(t *testing.T) {
	i := open(t, quietBus(), Payloads(3), Authorize(func(r *http.Request) Access {
		if r.Header.Get("X-Key") == "operator" {
			return ViewPayloads
		}
		return LocalOnly(r)
	}))
	signals.Topic[int](i.bus, "s")
	i.fresh()
	remote := func(r *http.Request) { r.RemoteAddr = "192.0.2.7:40000" }
	operator := func(r *http.Request) { r.Header.Set("X-Key", "operator") }
	proxied := func(r *http.Request) { r.Header.Set("Via", "1.1 proxy") }
	for name, c := range map[string]struct {
		change []func(*http.Request)
		page   int
		tail   int
	}{
		"local":           {nil, 200, 403},
		"remote":          {[]func(*http.Request){remote}, 403, 403},
		"proxied":         {[]func(*http.Request){proxied}, 403, 403},
		"remote operator": {[]func(*http.Request){remote, operator}, 200, 200},
	} {
		if w := do(i, request("", c.change...)); w.Code != c.page {
			t.Errorf("%s: the page %d; want %d", name, w.Code, c.page)
		}
		if w := do(i, request("payloads.json?signal=s", c.change...)); w.Code != c.tail {
			t.Errorf("%s: the payloads %d; want %d", name, w.Code, c.tail)
		}
	}
	const why = "kept and shown only with"
	if page := get(t, i, "signal?signal=s"); !strings.Contains(page, why) {
		t.Error("who has no right to payloads is not told so")
	}
	if page := words(get(t, i, "")); !strings.Contains(page, "inspector.Authorize is a must") {
		t.Errorf("the page does not say that behind a proxy everybody is local:\n%s", page)
	}
	if w := do(i, request("signal?signal=s", operator)); strings.Contains(w.Body.String(), why) {
		t.Error("who has the right is told otherwise")
	}
}
