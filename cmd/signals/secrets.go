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
	"os"
	"strings"
)

// Where secrets come from, so that they need not be arguments, which other users
// of the machine can read.
const (
	tokenVariable  = "SIGNALS_TOKEN"  // a bearer token
	headerVariable = "SIGNALS_HEADER" // headers, one a line
)

// header collects the headers to send. What is said with flags counts more than
// what is in the environment.
func (o *options) header(base *url.URL) (http.Header, error) {
	h := http.Header{}
	for _, line := range o.headers {
		if file, ok := strings.CutPrefix(line, "@"); ok {
			text, err := readSecret("--header", file)
			if err != nil {
				return nil, err
			}
			if err := addLines(h, text, "--header @"+file); err != nil {
				return nil, err
			}
		} else if err := addHeader(h, line, "--header"); err != nil {
			return nil, err
		}
	}
	if o.tokenFile != "" {
		token, err := readSecret("--token-file", o.tokenFile)
		if err != nil {
			return nil, err
		}
		if token = strings.TrimSpace(token); token == "" || strings.ContainsAny(token, "\r\n") {
			return nil, fmt.Errorf("--token-file %s: want one line", o.tokenFile)
		}
		h.Set("Authorization", "Bearer "+token)
	}
	more := http.Header{}
	if err := addLines(more, os.Getenv(headerVariable), headerVariable); err != nil {
		return nil, err
	}
	if token := strings.TrimSpace(os.Getenv(tokenVariable)); token != "" {
		more.Set("Authorization", "Bearer "+token)
	}
	if base.User != nil {
		more.Del("Authorization")
	}
	for name, values := range more {
		if h.Get(name) == "" {
			h[name] = values
		}
	}
	return h, nil
}

func readSecret(flag, file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	return string(data), nil
}

func addLines(h http.Header, text, where string) error {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			if err := addHeader(h, line, where); err != nil {
				return err
			}
		}
	}
	return nil
}

func addHeader(h http.Header, line, where string) error {
	name, value, ok := strings.Cut(line, ":")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return errors.New(where + `: want "Name: value"`) // it may be a secret: not repeated
	}
	h.Add(name, strings.TrimSpace(value))
	return nil
}

// transport connects as the flags say, over a Unix socket if there is one.
func (o *options) transport(base *url.URL, socket string) (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if socket != "" {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}
	}
	given := o.caFile != "" || o.certFile != "" || o.keyFile != "" || o.insecure
	if !given {
		return t, nil
	}
	if base.Scheme != "https" {
		return nil, errors.New("--cacert, --cert, --key and --insecure are for https:// alone")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.insecure} //nolint:gosec // it is asked for
	if o.caFile != "" {
		pem, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--cacert %s: there is no certificate in it; want PEM", o.caFile)
		}
	}
	switch {
	case o.certFile != "" && o.keyFile != "":
		pair, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
		if err != nil {
			return nil, fmt.Errorf("--cert %s, --key %s: %w", o.certFile, o.keyFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	case o.certFile != "" || o.keyFile != "":
		return nil, errors.New("--cert and --key: want both")
	}
	t.TLSClientConfig = config
	return t, nil
}

// splitSocket takes an address such as unix:/run/shop.sock:/debug/signals/
// apart: the socket, and the address to ask over it.
func splitSocket(address string) (socket, rest string, err error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return "", address, nil
	}
	if strings.HasPrefix(path, "//") {
		path = "/" + strings.TrimLeft(path, "/")
	}
	socket = path
	if i := strings.LastIndex(path, ":/"); i >= 0 {
		socket, rest = path[:i], path[i+1:]
	}
	if socket == "" {
		return "", "", fmt.Errorf("%q: want something like unix:/run/shop.sock:/debug/signals/", address)
	}
	return socket, "http://localhost" + rest, nil
}
