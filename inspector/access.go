package inspector

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Access is what a request may do. Each right includes the ones before it.
type Access int

const (
	// Denied is nothing; the answer is 403.
	Denied Access = iota
	// View is everything but payloads.
	View
	// ViewPayloads is payloads too, where the option Payloads keeps them. Only
	// Authorize grants it.
	ViewPayloads
)

// access returns what a request may do, and why not more if that is nothing.
func (i *Inspector) access(r *http.Request) (Access, string) {
	if i.authorize != nil {
		switch a := i.authorize(r.WithContext(context.WithValue(r.Context(), asksKey{}, i))); {
		case a <= Denied:
			return Denied, "not allowed"
		default:
			return min(a, ViewPayloads), ""
		}
	}
	if why := notLocal(r); why != "" {
		return Denied, "only for requests of this machine to a loopback address, through no proxy; " + why +
			"; use inspector.Authorize to let others in"
	}
	return View, ""
}

// LocalOnly is the rule without Authorize: View for requests of this machine,
// Denied for others. It is for functions of Authorize that let others in besides.
// It is no fence: behind a reverse proxy on the same machine everybody is local,
// and the pages say so.
func LocalOnly(r *http.Request) Access {
	if notLocal(r) != "" {
		return Denied
	}
	if i, ok := r.Context().Value(asksKey{}).(*Inspector); ok {
		i.locals.Store(true)
	}
	return View
}

// asksKey is where the request that Authorize gets has the inspector that asks.
type asksKey struct{}

// notLocal says why a request does not come from this machine, or was not
// meant for it; "" if it does and was. The Host header tells apart a page of
// another site that had its name point here (DNS rebinding).
//
// This cannot be a fence: a proxy on this machine that says nothing of itself
// looks like any other program here. It keeps out those that do say something,
// which are most.
func notLocal(r *http.Request) string {
	if h := proxied(r); h != "" {
		return h
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); !ok || local.Network() != "unix" {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !peer.Addr().Unmap().IsLoopback() {
			return "this one comes from elsewhere"
		}
	}
	if !localHost(r.Host) {
		return fmt.Sprintf("this one is for the host %q", cut(r.Host, 100))
	}
	return ""
}

// Headers by which proxies, content delivery networks and the like say that
// they forward a request. None of them is believed: a request that has one
// comes from elsewhere.
var (
	forwarded = []string{
		"Forwarded", "Via", "Proxy-Connection", "Proxy-Authorization", "Proxy-Client-Ip", "Wl-Proxy-Client-Ip", "Max-Forwards",
		"X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Scheme", "X-Url-Scheme", "X-Host", "X-Rewrite-Url", "X-Varnish", "X-Proxyuser-Ip",
		"Client-Ip", "True-Client-Ip", "Remote-User", "X-Remote-User", "Front-End-Https", "Cdn-Loop", "Incap-Client-Ip", "Ali-Cdn-Real-Ip",
	}
	forwardedPrefixes = []string{
		"X-Forwarded", "X-Original-", "X-Envoy-", "X-Proxy", "X-Traefik-", "X-Amz-", "X-Amzn-", "X-Azure-", "X-Arr-", "X-Appengine-",
		"X-Google-", "X-Goog-", "X-Vercel-", "X-Akamai-", "X-Sucuri-", "X-Nf-", "Akamai-", "Cf-", "Fastly-", "Fly-", "Tailscale-",
	}
)

// proxied says by what a request shows that it came through a proxy; "" if it
// does not. Browsers, curl and the like speak HTTP/1.1 and keep connections;
// proxies, nginx as it comes, speak HTTP/1.0 or close them.
func proxied(r *http.Request) string {
	for name := range r.Header {
		if slices.Contains(forwarded, name) {
			return "the header " + name + " says that this one was forwarded"
		}
		for _, p := range forwardedPrefixes {
			if strings.HasPrefix(name, p) {
				return "the header " + cut(name, 100) + " says that this one was forwarded"
			}
		}
	}
	if !r.ProtoAtLeast(1, 1) {
		return "this one speaks " + r.Proto + ", as proxies do"
	}
	for _, v := range r.Header.Values("Connection") {
		for token := range strings.SplitSeq(v, ",") {
			if t := strings.TrimSpace(token); t != "" && !strings.EqualFold(t, "keep-alive") {
				return fmt.Sprintf("this one says Connection: %s, as proxies do", cut(t, 40))
			}
		}
	}
	return ""
}

func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

const policy = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard sets the headers that every answer has and reports whether the request
// may be served.
func (i *Inspector) guard(w http.ResponseWriter, r *http.Request) (Access, bool) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	access, why := i.access(r)
	if access == Denied {
		http.Error(w, "inspector: "+why, http.StatusForbidden)
		return Denied, false
	}
	if !ownSite(r) {
		http.Error(w, "inspector: not for pages of other sites", http.StatusForbidden)
		return Denied, false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "inspector: only GET and HEAD; nothing can be changed here", http.StatusMethodNotAllowed)
		return Denied, false
	}
	return access, true
}

// ownSite reports whether a request is not one that a page of another site or
// origin makes. A link there may be followed, into a window and nowhere else.
func ownSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		dest := r.Header.Get("Sec-Fetch-Dest")
		return r.Header.Get("Sec-Fetch-Mode") == "navigate" && (dest == "" || dest == "document")
	case "":
		// An old browser, or none. A page asks its own server without Origin.
		if origin := r.Header.Get("Origin"); origin != "" {
			_, host, _ := strings.Cut(origin, "://")
			return strings.EqualFold(host, r.Host)
		}
	}
	return true
}
