package inspector

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

//go:embed assets
var assets embed.FS

// version names the assets by what is in them, so that browsers may keep them.
var version = func() string {
	h := sha256.New()
	for _, name := range []string{"app.css", "app.js", "theme.js", "worker.js", "icon.svg"} {
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

const longestWait = 30 * time.Second

// ServeHTTP serves the page and the JSON.
func (i *Inspector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	access, ok := i.guard(w, r)
	if !ok {
		return
	}
	params, err := values(r)
	var q query
	if err == nil {
		q, err = parseQuery(params)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name, ok := mounted(w, r)
	if !ok {
		return
	}
	key := feedKey{name: name, access: access, query: q}
	switch name {
	case "icon.svg":
		file(w, r, name, "image/svg+xml")
	case "app.css":
		file(w, r, name, "text/css; charset=utf-8")
	case "app.js", "theme.js", "worker.js":
		file(w, r, name, "text/javascript; charset=utf-8")
	case "snapshot.json":
		i.see()
		i.shareJSON(w, r, key, func() any { return i.snapshot(q) })
	case "events":
		i.events(w, r, q)
	case "live":
		i.live(w, r, params, q)
	case "diagnosis.json":
		i.serveDiagnosis(w, r, params, key)
	case "failures.json":
		i.shareJSON(w, r, key, func() any { return i.failures.list(q, access >= ViewPayloads) })
	case "stores.json":
		i.see()
		i.shareJSON(w, r, key, func() any { return i.storeList(q.history) })
	case "bridges.json":
		i.see()
		i.shareJSON(w, r, key, func() any { return i.bridgeList(q.history) })
	case "payloads.json":
		i.servePayloads(w, r, key)
	case "stacks.json":
		i.serveStacks(w, r, key)
	case "graph.json", "graph.svg", "graph.dot", "graph.mmd":
		i.serveGraph(w, r, key)
	default:
		i.page(w, r, view{i: i, access: access, query: q, name: viewName(name)}, key)
	}
}

func file(w http.ResponseWriter, r *http.Request, name, kind string) {
	w.Header().Set("Content-Type", kind)
	if r.URL.Query().Get("v") == version {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(asset(name)))
}

func (i *Inspector) servePayloads(w http.ResponseWriter, r *http.Request, key feedKey) {
	switch {
	case key.access < ViewPayloads && i.authorize == nil:
		http.Error(w, "inspector: payloads need the right ViewPayloads, which only inspector.Authorize can grant", http.StatusForbidden)
	case key.access < ViewPayloads:
		http.Error(w, "inspector: payloads need the right ViewPayloads", http.StatusForbidden)
	case i.tails == nil:
		http.Error(w, "inspector: no payloads are kept; use the option inspector.Payloads", http.StatusNotFound)
	default:
		i.shareJSON(w, r, key, func() any { return Tail{Signal: key.query.signal, Payloads: i.tails.list(key.query.signal)} })
	}
}

func (i *Inspector) serveDiagnosis(w http.ResponseWriter, r *http.Request, params url.Values, key feedKey) {
	if !i.watch(w, r, params.Get("wait")) {
		return
	}
	// Perhaps half a minute has passed.
	access, ok := i.guard(w, r)
	if !ok {
		return
	}
	key.access = access
	stacks := params.Get("stacks") == "1"
	if stacks {
		key.name += " with stacks"
	}
	i.shareJSON(w, r, key, func() any { return i.diagnosis(key.query.window, stacks) })
}

// watch takes samples for as long as the request says, and reports whether it
// is to be answered. The server's WriteTimeout is put off for that long.
func (i *Inspector) watch(w http.ResponseWriter, r *http.Request, wait string) bool {
	if wait == "" {
		i.seeAll()
		return true
	}
	d, err := time.ParseDuration(wait)
	if err != nil || d < 0 || d > longestWait {
		http.Error(w, fmt.Sprintf("inspector: wait=%q: want a duration such as 2s, at most %v", cut(wait, 100), longestWait), http.StatusBadRequest)
		return false
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d + patience))
	leave, ok := i.enterWait(w)
	if !ok {
		return false
	}
	defer leave()
	i.seeAll()
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
	if t := i.state.byName[signal]; t != nil {
		if l := t.row(id); l != nil {
			function = l.Function
		} else if l := t.leavingWithID(id); l != nil {
			function = l.Function
		}
	}
	for _, t := range i.state.signals {
		for _, l := range t.listeners {
			if l.Function == function {
				same++
			}
		}
		for _, l := range t.leaving {
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

func (i *Inspector) serveStacks(w http.ResponseWriter, r *http.Request, key feedKey) {
	i.look(false)
	signal, id := key.query.signal, key.query.listener
	s, ok := i.stacksOf(signal, id)
	if !ok {
		http.Error(w, fmt.Sprintf("inspector: signal %q has no listener %q", cut(signal, 200), cut(id, 200)), http.StatusNotFound)
		return
	}
	i.shareJSON(w, r, key, func() any { return s })
}

func (i *Inspector) serveGraph(w http.ResponseWriter, r *http.Request, key feedKey) {
	i.see()
	q := key.query
	drawn := func(draw func(Graph) string) func() ([]byte, error) {
		return func() ([]byte, error) { return []byte(draw(i.graph(q))), nil }
	}
	switch key.name {
	case "graph.json":
		i.shareJSON(w, r, key, func() any { return i.graph(q) })
	case "graph.svg":
		i.share(w, r, "image/svg+xml", key, drawn(Graph.svg))
	case "graph.dot":
		i.share(w, r, "text/vnd.graphviz; charset=utf-8", key, drawn(Graph.dot))
	case "graph.mmd":
		i.share(w, r, "text/plain; charset=utf-8", key, drawn(Graph.mermaid))
	}
}
