package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"example.com/signals/inspector"
)

// maxAnswer is the most that is read of an answer, in bytes.
const maxAnswer = 256 << 20

// client asks one inspector.
type client struct {
	base    *url.URL // ends in a slash
	socket  string   // or ""
	header  http.Header
	timeout time.Duration // of a request
	http    *http.Client
}

func newClient(base *url.URL, socket string, header http.Header, timeout time.Duration, transport http.RoundTripper) *client {
	return &client{base: base, socket: socket, header: header, timeout: timeout, http: &http.Client{
		Transport: transport,
		// An inspector redirects nowhere, and what is elsewhere is not what was asked for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// parseURL completes the address of an inspector: localhost:8080/debug/signals
// is http://localhost:8080/debug/signals/.
func parseURL(address string) (*url.URL, error) {
	full := address
	if strings.HasPrefix(full, ":") {
		full = "localhost" + full
	}
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	switch {
	case err != nil:
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err // without the address, which may have a password
		}
		return nil, fmt.Errorf("not a URL: %w; want something like http://localhost:8080/debug/signals/", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fmt.Errorf("%q: want something like http://localhost:8080/debug/signals/", u.Redacted())
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	return u.JoinPath("/"), nil
}

// name is what the inspector is called in messages.
func (c *client) name() string {
	if c.socket != "" {
		return clean("unix:" + c.socket + ":" + c.base.Path)
	}
	return clean(c.base.Redacted())
}

// snapshot asks for the state of the signals, rid of control characters. raw is
// the answer as it came.
func (c *client) snapshot(ctx context.Context, query url.Values) (s *inspector.Snapshot, raw []byte, err error) {
	s = new(inspector.Snapshot)
	if raw, err = c.getJSON(ctx, "snapshot.json", query, c.timeout, s); err != nil {
		return nil, nil, err
	}
	if s.Time.IsZero() || s.Signals == nil {
		return nil, nil, c.stranger("its answer is not a snapshot")
	}
	return s, raw, nil
}

// diagnosis asks for what is the matter, after the inspector has looked for a
// while. raw is the answer as it came.
func (c *client) diagnosis(ctx context.Context, wait, window time.Duration, stacks bool) (d *inspector.Diagnosis, raw []byte, err error) {
	query := url.Values{"wait": {wait.String()}, "window": {window.String()}}
	if stacks {
		query.Set("stacks", "1")
	}
	d = new(inspector.Diagnosis)
	if raw, err = c.getJSON(ctx, "diagnosis.json", query, c.timeout+wait, d); err != nil {
		return nil, nil, err
	}
	if d.Time.IsZero() || d.Findings == nil {
		return nil, nil, c.stranger("its answer is not a diagnosis")
	}
	return d, raw, nil
}

func (c *client) getJSON(ctx context.Context, page string, query url.Values, timeout time.Duration, to any) ([]byte, error) {
	data, err := c.get(ctx, page, query, timeout)
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(data, to) != nil {
		return nil, c.stranger("its answer is not the JSON of an inspector")
	}
	cleanAll(reflect.ValueOf(to))
	return data, nil
}

// get returns a page of the inspector.
func (c *client) get(ctx context.Context, page string, query url.Values, timeout time.Duration) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	u := c.base.JoinPath(page)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(limited, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header = c.header.Clone()
	req.Header.Set("User-Agent", "signals/"+version())
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err, timeout)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, c.refused(resp, string(data[:min(len(data), 1<<12)]))
	case err != nil:
		return nil, c.unreachable(ctx, err, timeout)
	case len(data) > maxAnswer:
		return nil, fmt.Errorf("%s: the answer is longer than %d MB", c.name(), maxAnswer>>20)
	}
	return data, nil
}
