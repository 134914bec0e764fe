package inspector

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// The pages are all in one directory and their links are relative, so the last
// segment of a path says which page is asked for, and it does not matter
// whether the router strips what is before it. What matters is that the
// directory's own address ends in a slash: without it the links lead elsewhere.

// added marks a redirect to the address with a slash, so that a router that
// leads back, because it has no such route, is told apart from one that obeys.
const added = "slash"

// page returns which page a request asks for; "" is the first one. It answers
// itself, and reports false, where the address lacks its slash.
func mounted(w http.ResponseWriter, r *http.Request) (page string, ok bool) {
	asked := r.URL.Path
	whole := asked
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil {
		whole = u.Path
	}
	if asked != "" && !strings.HasSuffix(asked, "/") {
		page = path.Base(asked)
	}
	root := page == "" && (strings.HasSuffix(whole, "/") || whole == "")
	if root || page != "" && (page != "signals" || asked != whole) {
		return page, true
	}
	// Either what is before the page was stripped and nothing is left, or the
	// router strips nothing and the path ends as the inspector's often do.
	if alone(r, whole) {
		http.Error(w, fmt.Sprintf("inspector: it is mounted at %q alone, and its pages are below that: mount it at %q", whole, whole+"/"), http.StatusNotFound)
		return "", false
	}
	q := r.URL.Query()
	if q.Has(added) {
		http.Error(w, fmt.Sprintf("inspector: the router leads %q back to %q: let all that begins with %q come here; docs/inspector.md says how with which router",
			whole+"/", whole, whole+"/"), http.StatusNotFound)
		return "", false
	}
	q.Set(added, "1")
	// Relative, and so right behind whatever has changed the beginning of it.
	w.Header().Set("Location", "./"+url.PathEscape(path.Base(whole))+"/?"+q.Encode())
	w.WriteHeader(http.StatusTemporaryRedirect)
	return "", false
}

// alone reports whether the server's ServeMux, if it has one, leads only the
// path itself here and not what is below it.
func alone(r *http.Request, path string) bool {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return false
	}
	mux, ok := server.Handler.(*http.ServeMux)
	if server.Handler == nil {
		mux, ok = http.DefaultServeMux, true
	}
	if !ok {
		return false
	}
	below := r.Clone(r.Context())
	below.URL.Path, below.URL.RawPath = path+"/", ""
	_, pattern := mux.Handler(below)
	return pattern == "" || pattern != r.Pattern && !strings.Contains(pattern, path+"/")
}

// lost answers for a page that there is not.
func lost(w http.ResponseWriter, page string) {
	http.Error(w, fmt.Sprintf("inspector: there is no page %q; if the inspector itself is here, its address ends in a slash: %q", cut(page, 100), cut(page, 100)+"/"), http.StatusNotFound)
}
