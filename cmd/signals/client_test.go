package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/signals/inspector"
)

// every runs each command against a URL.
func every(url string, more ...string) (all [][]string) {
	for _, args := range [][]string{{"top", "-n", "1", "-i", "200ms", url}, {"graph", "-format", "svg", url}, {"doctor", "-wait", "0s", url}} {
		all = append(all, append(args, more...))
	}
	return all
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	for _, args := range every("http://someone:secret@" + address + "/debug") {
		line := failsWith(t, args, "nothing listens at "+address, "is the program running")
		if strings.Contains(line, "secret") {
			t.Errorf("the password is shown: %s", line)
		}
	}
}

func TestUnknownHost(t *testing.T) {
	for _, args := range every("http://no-such-host.invalid/") {
		failsWith(t, args, "no-such-host.invalid")
	}
}

func TestServerThatSaysNothing(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	for _, args := range every(server.URL, "-timeout", "20ms") {
		failsWith(t, args, "no answer within 20ms", "--timeout")
	}
}

// It begins to answer and then stops.
func TestServerThatStopsHalfway(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"time":`))
		_ = http.NewResponseController(w).Flush()
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	for _, args := range every(server.URL, "-timeout", "50ms") {
		failsWith(t, args, "no answer within 50ms")
	}
}

func TestRefusedByTheRuleOfLoopback(t *testing.T) {
	url := serve(t, quietBus())
	for _, args := range every(url, "-H", "X-Forwarded-For: 192.0.2.1") {
		failsWith(t, args, "refused (403)", "only its own machine", "ssh -L", "inspector.Authorize")
	}
}

func TestCredentials(t *testing.T) {
	url := serve(t, quietBus(), inspector.Authorize(func(r *http.Request) inspector.Access {
		if user, password, _ := r.BasicAuth(); user == "me" && password == "secret" || r.Header.Get("Authorization") == "Bearer token" {
			return inspector.View
		}
		return inspector.Denied
	}))
	for _, args := range every(url) {
		failsWith(t, args, "refused (403)", "--header")
	}
	for _, args := range every(url, "--header", "Authorization: Bearer token") {
		if r := command(t, args...); r.code != exitOK {
			t.Errorf("signals %q: %d %s", args, r.code, r.stderr)
		}
	}
	for _, args := range every(strings.Replace(url, "://", "://me:secret@", 1)) {
		if r := command(t, args...); r.code != exitOK {
			t.Errorf("signals %q: %d %s", args, r.code, r.stderr)
		}
	}
	for _, args := range every(url, "-H", "secret") {
		if line := failsWith(t, args, "--header"); strings.Contains(line, "secret") {
			t.Errorf("the header is shown: %s", line)
		}
	}
}

func TestNoInspector(t *testing.T) {
	const page = "<!doctype html><title>Some page</title>"
	for name, url := range map[string]string{
		"another path":        strings.TrimSuffix(serve(t, quietBus()), "debug/signals/"),
		"a page for any path": answering(t, 200, "text/html", page),
		"empty":               answering(t, 200, "application/json", ""),
		"other JSON":          answering(t, 200, "application/json", `["a"]`),
		"an error":            answering(t, 500, "text/plain", hostile),
		"a refusal":           answering(t, 403, "text/html", page),
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range every(url) {
				failsWith(t, args, "no inspector", "http://localhost:8080/debug/signals/")
			}
		})
	}
	url := answering(t, 200, "application/json", `{"status":"UP"}`)
	failsWith(t, []string{"top", "-n", "1", "-i", "200ms", url}, "no inspector")
	failsWith(t, []string{"doctor", url}, "no inspector") // not "healthy: false", nor true
}

func TestRedirectsAreSaidNotFollowed(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("http://elsewhere.invalid/\u202elogin", http.StatusFound))
	t.Cleanup(server.Close)
	for _, args := range every(server.URL) {
		failsWith(t, args, "redirects to http://elsewhere.invalid/")
	}
}

func TestWrongScheme(t *testing.T) {
	failsWith(t, []string{"doctor", strings.Replace(serve(t, quietBus()), "http:", "https:", 1)}, "try http://")
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	failsWith(t, []string{"doctor", server.URL}, "certificate is not trusted")
	failsWith(t, []string{"doctor", strings.Replace(server.URL, "https:", "http:", 1)}, "try https://")
}

// What an inspector says of a bad request is shown.
func TestErrorsOfTheInspector(t *testing.T) {
	failsWith(t, []string{"doctor", answering(t, 400, "text/plain", "inspector: wait=\x1b: no\nmore")}, `answered 400: wait=\x1b: no`)
}

func TestURLsAreCompleted(t *testing.T) {
	for given, want := range map[string]string{
		"localhost:8080/debug/signals":       "http://localhost:8080/debug/signals/",
		"localhost:8080":                     "http://localhost:8080/",
		":8080/debug":                        "http://localhost:8080/debug/",
		"https://shop.example/x/?sort=p99#y": "https://shop.example/x/",
		"[::1]:8080/a%2Fb":                   "http://[::1]:8080/a%2Fb/",
		"http://localhost:8080/debug//":      "http://localhost:8080/debug/",
	} {
		got, err := parseURL(given)
		if err != nil || got.String() != want {
			t.Errorf("%s is %v, want %s (%v)", given, got, want, err)
		}
	}
	for _, bad := range []string{"", "ftp://localhost/", "http://", "http:///debug", "localhost:80:90", "http://a b/", "http://[::1", "\x1b[31m"} {
		failsWith(t, []string{"doctor", bad}, "http://localhost:8080/debug/signals/")
	}
}

func TestUsageErrorsAreOneLine(t *testing.T) {
	for _, args := range [][]string{
		{"top"}, {"top", "a", "b"}, {"topp", "localhost"}, {"doctor", "--nope", "x"},
		{"top", "-sort", "colour", "x"}, {"top", "-n", "-1", "x"}, {"top", "-n", "many", "x"}, {"top", "-interval", "1ms", "x"},
		{"top", "-listeners", "some", "x"}, {"top", "-limit", "-1", "x"}, {"top", "-timeout", "0s", "x"},
		{"graph", "x"}, {"graph", "-format", "png", "x"}, {"graph", "-o", "wiring.png", "x"}, {"graph", "-o", "wiring", "x"},
		{"graph", "-format", "svg", "-limit", "-1", "x"},
		{"doctor", "-wait", "31s", "x"}, {"doctor", "-fail-on", "info", "x"},
	} {
		failsWith(t, args)
	}
}

func TestHelpAndCompletion(t *testing.T) {
	for _, args := range [][]string{{}, {"-h"}, {"help"}, {"top", "-help"}, {"help", "graph"}, {"doctor", "--help"}} {
		if r := command(t, args...); r.code != exitOK || !strings.Contains(r.stdout, "Usage:") || r.stderr != "" {
			t.Errorf("signals %q: %d %q %s", args, r.code, r.stderr, r.stdout)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := command(t, "completion", shell); r.code != exitOK || !strings.Contains(r.stdout, "signals") {
			t.Errorf("no completion for %s: %d %s", shell, r.code, r.stderr)
		}
	}
	for want, args := range map[string][]string{
		"doctor":   {"do"},
		"failures": {"top", "--sort", ""},
		"mmd":      {"graph", "--format", ""},
		"warning":  {"doctor", "--fail-on", ""},
	} {
		if r := command(t, append([]string{"__complete"}, args...)...); !strings.Contains(r.stdout, want) {
			t.Errorf("%q completes to %s, want %s among it", args, r.stdout, want)
		}
	}
}

func TestInterrupted(t *testing.T) {
	for command, want := range map[string]int{"doctor": exitInterrupted, "graph": exitInterrupted, "top": exitOK} {
		ctx, cancel := context.WithCancel(t.Context())
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		args := []string{command, server.URL}
		if command == "graph" {
			args = append(args, "-format", "svg")
		}
		var out, errs bytes.Buffer
		if code := run(ctx, args, &out, &errs); code != want || strings.Count(errs.String(), "\n") > 1 {
			t.Errorf("%s: exit code %d, want %d; %s", command, code, want, &errs)
		}
	}
}

var quiet = log.New(io.Discard, "", 0)
