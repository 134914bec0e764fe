package inspector

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// follow asks like a browser, and follows redirects.
func follow(t *testing.T, h http.Handler, path string) (at string, w *httptest.ResponseRecorder) {
	t.Helper()
	r := request(path)
	for range 10 {
		if w = do(h, r); w.Code/100 != 3 {
			return r.URL.String(), w
		}
		to, err := r.URL.Parse(w.Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		r = request(strings.TrimPrefix(to.RequestURI(), "/"))
	}
	t.Fatalf("GET %s: redirects without end", path)
	return "", nil
}

var links = regexp.MustCompile(`(?:href|src|action)="([^"]+)"`)

func TestThePageWorksWhereverItIsMounted(t *testing.T) {
	i := open(t, quietBus())
	stripped := http.NewServeMux()
	stripped.Handle("/debug/signals/", http.StripPrefix("/debug/signals", i))
	slash := http.NewServeMux()
	slash.Handle("/debug/signals/", http.StripPrefix("/debug/signals/", i))
	unstripped := http.NewServeMux()
	unstripped.Handle("/debug/signals/", i)
	twice := http.NewServeMux() // without the slash, and with what is below
	twice.Handle("/debug/signals", http.StripPrefix("/debug/signals", i))
	twice.Handle("/debug/signals/{rest...}", http.StripPrefix("/debug/signals", i))
	parent := http.NewServeMux()
	parent.Handle("/debug/", i)
	for name, h := range map[string]http.Handler{
		"StripPrefix": stripped, "StripPrefix with a slash": slash, "nothing stripped": unstripped, "both": twice, "the directory above": parent,
		"a router that strips nothing and sends all here": i,
	} {
		for _, path := range []string{"debug/signals/", "debug/signals"} {
			at, w := follow(t, h, path)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<title>Signals</title>") {
				t.Errorf("%s: GET %s: %d %s", name, path, w.Code, cut(w.Body.String(), 200))
				continue
			}
			for _, m := range links.FindAllStringSubmatch(w.Body.String(), -1) {
				base := request(strings.TrimPrefix(strings.TrimPrefix(at, "http://localhost:8080"), "/"))
				to, err := base.URL.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
				if err != nil {
					t.Fatal(err)
				}
				if w := do(h, request(strings.TrimPrefix(to.RequestURI(), "/"))); w.Code != http.StatusOK {
					t.Errorf("%s: %s has a link to %s, which is %s: %d", name, at, m[1], to, w.Code)
				}
			}
		}
	}
}

func TestAMountWithoutWhatIsBelowSaysWhatToDo(t *testing.T) {
	i := open(t, quietBus())
	mux := http.NewServeMux()
	mux.Handle("/debug/signals", i)
	mux.Handle("/", http.NotFoundHandler())
	served := func(h http.Handler) func(*http.Request) {
		return func(r *http.Request) {
			*r = *r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{Handler: h}))
		}
	}
	if w := do(mux, request("debug/signals", served(mux))); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `mount it at "/debug/signals/"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	mux.Handle("/debug/signals/{rest...}", i)
	if w := do(mux, request("debug/signals", served(mux))); w.Code != http.StatusTemporaryRedirect {
		t.Errorf("with what is below: %d %s", w.Code, w.Body)
	}
	// A router that leads back from what it does not know, as gin does.
	back := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/debug/signals/" {
			http.Redirect(w, r, "/debug/signals?"+r.URL.RawQuery, http.StatusMovedPermanently)
			return
		}
		i.ServeHTTP(w, r)
	})
	if _, w := follow(t, back, "debug/signals?q=x"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `let all that begins with "/debug/signals/" come here`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := do(i, request("inspector")); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `its address ends in a slash: "inspector/"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
