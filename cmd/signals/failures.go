package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// unreachable says why there is no answer, and what to do.
func (c *client) unreachable(ctx context.Context, err error, timeout time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	say := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s", c.name(), fmt.Sprintf(format, args...))
	}
	var dns *net.DNSError
	var tlsRecord tls.RecordHeaderError
	var cert *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var of *url.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return say("there is no host %s", dns.Name)
	case c.socket != "" && (errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)):
		return say("nothing listens at the socket %s: is the program running, and is this its socket?", clean(c.socket))
	case c.socket != "" && (errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)):
		return say("you may not use the socket %s", clean(c.socket))
	case errors.Is(err, syscall.ECONNREFUSED):
		return say("nothing listens at %s: is the program running, and is this its port?", c.base.Host)
	case errors.Is(err, context.DeadlineExceeded):
		return say("no answer within %v; --timeout sets how long to wait", timeout)
	case errors.As(err, &tlsRecord), errors.Is(err, http.ErrSchemeMismatch):
		return say("the server does not speak TLS: try http://")
	case errors.As(err, &cert), errors.As(err, &authority):
		return say("its certificate is not trusted; --cacert names who is, --insecure trusts anybody: %v", rid(err))
	case errors.As(err, &of):
		return say("no answer: %v", of.Err) // without the URL, which may have a password
	}
	return say("no answer: %v", err)
}

// refused says what an answer with another status than 200 means.
func (c *client) refused(resp *http.Response, body string) error {
	say := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s", c.name(), fmt.Sprintf(format, args...))
	}
	code := resp.StatusCode
	text, fromInspector := strings.CutPrefix(firstLine(body), "inspector: ")
	switch {
	case code == http.StatusForbidden && fromInspector && strings.Contains(text, "loopback"):
		return say("refused (403): the inspector answers only its own machine, asked as localhost, and through no proxy%s; "+
			"run this there, forward the port (ssh -L), or give the program inspector.Authorize", because(text))
	case code == http.StatusForbidden && fromInspector, code == http.StatusUnauthorized:
		return say(`refused (%d): it wants other credentials; give them with --token-file, --header @FILE or SIGNALS_TOKEN, or as http://USER:PASSWORD@HOST/...`, code)
	case fromInspector:
		return say("the inspector answered %d: %s", code, text)
	case code >= 300 && code < 400:
		return c.stranger("it redirects to " + clean(resp.Header.Get("Location")))
	case code == http.StatusBadRequest && strings.Contains(body, "HTTP request to an HTTPS server"):
		return say("the server speaks TLS: try https://")
	}
	return c.stranger(fmt.Sprintf("it answered %d %s", code, http.StatusText(code)))
}

// because is why the inspector took the request for one from elsewhere.
func because(text string) string {
	_, why, ok := strings.Cut(text, "through no proxy; ")
	why, _, ok2 := strings.Cut(why, "; use inspector.Authorize")
	if !ok || !ok2 {
		return ""
	}
	return " (" + why + ")"
}

// rid returns an error without the URL, which may have a password.
func rid(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		return of.Err
	}
	return err
}

// stranger says that there is no inspector at the address.
func (c *client) stranger(why string) error {
	return fmt.Errorf("%s: there is no inspector: %s; give the URL where inspector.Handler is mounted, such as http://localhost:8080/debug/signals/",
		c.name(), why)
}

// firstLine returns the beginning of what a server says.
func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return ansi.Truncate(clean(line), 200, "…")
}
