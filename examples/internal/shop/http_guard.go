package shop

import (
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guard turns away what a browser sends on behalf of somebody else's page. The
// shop asks nobody for a password, so that whoever can reach it may order; a
// page from the internet, open in a browser on this machine, must not be able to.
type guard struct {
	hosts  []string // by which the shop may be called, besides those that anybody may use
	origin *http.CrossOriginProtection
}

func newGuard(hosts []string) *guard {
	return &guard{hosts: hosts, origin: http.NewCrossOriginProtection()}
}

// check returns why a request is turned away.
func (g *guard) check(r *http.Request) (status int, problem *apiError) {
	if !g.known(r.Host) {
		// The name of a page whose server has led the browser here
		// (DNS rebinding): to the browser it is one site with that page.
		return http.StatusForbidden, &apiError{Error: "the shop is not called " + printable(r.Host, 80) + "; use its IP address, localhost, or the host given with -http"}
	}
	if err := g.origin.Check(r); err != nil {
		return http.StatusForbidden, &apiError{Error: "a page of another site must not do this"}
	}
	if r.Method == http.MethodPost {
		// A form, or a text, can be sent to anywhere without being asked.
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			return http.StatusUnsupportedMediaType, &apiError{"an order is sent as Content-Type: application/json", "Content-Type"}
		}
	}
	return 0, nil
}

// known reports whether a Host header is a name for this shop. An IP address
// always is: no server of names can make it lead elsewhere.
func (g *guard) known(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		host != "" && slices.ContainsFunc(g.hosts, func(h string) bool { return strings.EqualFold(h, host) })
}
