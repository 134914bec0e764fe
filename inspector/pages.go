package inspector

import (
	"bytes"
	"errors"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"time"
)

// The page is rendered here, whole, for browsers without JavaScript and, once a
// second, for those with it, which put what has changed into the page they
// show. So everything is written once, and escaped in one place.

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"brief":   brief,
	"count":   count,
	"counti":  func(n int) string { return count(uint64(max(n, 0))) },
	"seconds": seconds,
	"plural":  func(n int, forms ...string) string { return plural(uint64(n), forms...) },
	"clock":   func(t time.Time) string { return t.Format("15:04:05") },
	"when":    when,
	"sign":    sign,
	"class":   class,
}).ParseFS(assets, "assets/*.html"))

// when writes a time, with its day unless that is today.
func when(t time.Time) string {
	if t.Format(time.DateOnly) == time.Now().Format(time.DateOnly) {
		return t.Format("15:04:05")
	}
	return t.Format("Jan 2 15:04:05")
}

// view is one page for one request.
type view struct {
	i      *Inspector
	access Access
	query  query
	name   string
	stacks *Stacks // of the page of stacks
}

// tabs are the views that the navigation shows. The first one is the directory
// itself: a link to "signals" would lead elsewhere where that is the
// directory's name.
var tabs = []struct{ View, Link, Name string }{
	{"signals", "./", "Signals"}, {"graph", "graph", "Wiring"}, {"failures", "failures", "Failures"}, {"diagnosis", "diagnosis", "Diagnosis"},
}

// viewName returns the name of the view at a path, or "".
func viewName(path string) string {
	switch path {
	case "", "index.html":
		return "signals"
	case "signals", "signal", "graph", "failures", "diagnosis", "stacks", "stores", "bridges":
		return path
	}
	return ""
}

// errNoView: there is no such page.
var errNoView = errors.New("inspector: no such page")

// page sends a whole page.
func (i *Inspector) page(w http.ResponseWriter, r *http.Request, v view, key feedKey) {
	if v.name == "" {
		lost(w, key.name)
		return
	}
	if v.name == "diagnosis" {
		i.seeAll()
	} else {
		i.see()
	}
	code := http.StatusOK
	switch v.name {
	case "signal":
		if !i.has(v.query.signal) {
			code = http.StatusNotFound
		}
	case "stacks":
		s, ok := i.stacksOf(v.query.signal, v.query.listener)
		if v.stacks = &s; !ok {
			http.Error(w, "inspector: there is no such listener, or not any more", http.StatusNotFound)
			return
		}
	}
	leave, ok := i.enter(w)
	if !ok {
		return
	}
	defer leave()
	f := i.feeds.join(key)
	defer i.feeds.leave(f)
	data, err := f.at(i.sampleNumber(), func() ([]byte, error) { return v.render("page") })
	if err != nil {
		http.Error(w, "inspector: "+err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, r, "text/html; charset=utf-8", code, data)
}

// has reports whether there is a signal of that name.
func (i *Inspector) has(signal string) bool {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.state.byName[signal] != nil
}

// body renders what changes of a page: all between <body> and </body>.
func (v view) body() ([]byte, error) {
	if v.name == "" || v.name == "stacks" {
		return nil, errNoView
	}
	if v.name == "diagnosis" {
		v.i.examine(openPace, math.MaxInt)
	}
	return v.render("body")
}

func (v view) render(template string) ([]byte, error) {
	var b bytes.Buffer
	err := templates.ExecuteTemplate(&b, template, v.data())
	return b.Bytes(), err
}

// link returns the URL of a view.
func link(view string, params ...string) string {
	q := url.Values{}
	for k := 0; k < len(params); k += 2 {
		if params[k+1] != "" {
			q.Set(params[k], params[k+1])
		}
	}
	if len(q) == 0 {
		return view
	}
	return view + "?" + q.Encode()
}
