package inspector

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// version names the assets by what is in them, so that browsers may keep them.
var version = func() string {
	h := sha256.New()
	for _, name := range []string{"app.css", "app.js", "theme.js", "icon.svg"} {
		h.Write(asset(name))
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}()

func asset(name string) []byte {
	data, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // embedded: never
	}
	return data
}

const (
	longestWait  = 30 * time.Second
	defaultGraph = 60 // signals that are drawn
)

// ServeHTTP serves the page and the JSON.
func (i *Inspector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	access, ok := i.guard(w, r)
	if !ok {
		return
	}
	name := strings.Trim(path.Clean("/"+r.URL.Path), "/")
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch name {
	case "icon.svg":
		file(w, r, name, "image/svg+xml")
	case "app.css":
		file(w, r, name, "text/css; charset=utf-8")
	case "app.js", "theme.js":
		file(w, r, name, "text/javascript; charset=utf-8")
	case "snapshot.json":
		i.see()
		i.json(w, r, i.snapshot(q))
	case "events":
		i.stream(w, r, "snapshot", func() ([]byte, error) { return json.Marshal(i.snapshot(q)) })
	case "live":
		v := view{i: i, access: access, query: q, name: viewName(r.URL.Query().Get("view"))}
		i.stream(w, r, "page", v.body)
	case "diagnosis.json":
		if i.watch(w, r) {
			i.json(w, r, i.diagnosis(r.URL.Query().Get("stacks") == "1"))
		}
	case "failures.json":
		i.json(w, r, i.failures.list(q.signal, q.limit, access >= ViewPayloads))
	case "payloads.json":
		switch {
		case access < ViewPayloads:
			http.Error(w, "inspector: payloads need the right ViewPayloads", http.StatusForbidden)
		case i.tails == nil:
			http.Error(w, "inspector: no payloads are kept; use the option inspector.Payloads", http.StatusNotFound)
		default:
			i.json(w, r, Tail{Signal: q.signal, Payloads: i.tails.list(q.signal)})
		}
	case "stacks.json":
		i.serveStacks(w, r, q)
	case "graph.json", "graph.svg", "graph.dot", "graph.mmd":
		i.serveGraph(w, r, name, q)
	default:
		i.page(w, r, view{i: i, access: access, query: q, name: viewName(name)})
	}
}

func file(w http.ResponseWriter, r *http.Request, name, kind string) {
	w.Header().Set("Content-Type", kind)
	if r.URL.Query().Get("v") == version {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(asset(name)))
}

func (i *Inspector) json(w http.ResponseWriter, r *http.Request, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "inspector: "+err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, r, "application/json", append(data, '\n'))
}

func send(w http.ResponseWriter, r *http.Request, kind string, data []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data)
	}
}

// watch takes samples for as long as the request says, and reports whether it
// is to be answered.
func (i *Inspector) watch(w http.ResponseWriter, r *http.Request) bool {
	i.seeAll()
	s := r.URL.Query().Get("wait")
	if s == "" {
		return true
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > longestWait {
		http.Error(w, fmt.Sprintf("inspector: wait=%q: want a duration such as 2s, at most %v", s, longestWait), http.StatusBadRequest)
		return false
	}
	ctx, cancel := context.WithTimeout(r.Context(), d)
	defer cancel()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			i.look(false)
			continue
		case <-i.closed:
		case <-ctx.Done():
			i.seeAll()
		}
		return r.Context().Err() == nil
	}
}

// stacksOf returns the goroutines that run a listener, if there is such a one.
func (i *Inspector) stacksOf(signal, id string) (Stacks, bool) {
	out := Stacks{Signal: signal, Listener: id}
	function, same := "", 0
	i.mu.RLock()
	if t := i.state.byName[signal]; t != nil && t.byID[id] != nil {
		function = t.byID[id].Function
	}
	for _, t := range i.state.signals {
		for _, l := range t.listeners {
			if l.Function == function {
				same++
			}
		}
	}
	i.mu.RUnlock()
	if function == "" {
		return out, false
	}
	out.Stacks, out.Shared = i.stacks.in(function), same > 1
	return out, true
}

func (i *Inspector) serveStacks(w http.ResponseWriter, r *http.Request, q query) {
	id := r.URL.Query().Get("listener")
	i.look(false)
	s, ok := i.stacksOf(q.signal, id)
	if !ok {
		http.Error(w, fmt.Sprintf("inspector: signal %q has no listener %q", q.signal, id), http.StatusNotFound)
		return
	}
	i.json(w, r, s)
}

func (i *Inspector) serveGraph(w http.ResponseWriter, r *http.Request, name string, q query) {
	i.see()
	if q.limit == 0 && name != "graph.json" && !r.URL.Query().Has("limit") {
		q.limit = defaultGraph
	}
	g := i.graph(q)
	switch name {
	case "graph.json":
		i.json(w, r, g)
	case "graph.svg":
		send(w, r, "image/svg+xml", []byte(g.svg()))
	case "graph.dot":
		send(w, r, "text/vnd.graphviz; charset=utf-8", []byte(g.dot()))
	case "graph.mmd":
		send(w, r, "text/plain; charset=utf-8", []byte(g.mermaid()))
	}
}
