package inspector

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Access is what a request may do. Each right includes the ones before it.
type Access int

const (
	// Denied is nothing; the answer is 403.
	Denied Access = iota
	// View is everything but payloads.
	View
	// ViewPayloads is payloads too, where the option Payloads keeps them.
	ViewPayloads
)

// access returns what a request may do.
func (i *Inspector) access(r *http.Request) Access {
	if i.authorize != nil {
		return i.authorize(r)
	}
	if local(r) {
		return ViewPayloads
	}
	return Denied
}

// forwarded are the headers by which proxies say that they forward a request.
// None of them is believed: a request that has one comes from elsewhere.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}

// local reports whether a request comes from this machine and was meant for
// it. The Host header tells apart a page of another site that had its name
// point here (DNS rebinding).
func local(r *http.Request) bool {
	for _, h := range forwarded {
		if len(r.Header.Values(h)) > 0 {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback() && localHost(r.Host)
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

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
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
	access := i.access(r)
	if access == Denied {
		text := "inspector: not allowed"
		if i.authorize == nil {
			text = "inspector: only for requests of this machine to a loopback address; use inspector.Authorize to let others in"
		}
		http.Error(w, text, http.StatusForbidden)
		return Denied, false
	}
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
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
