package browser

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"example.com/signals"
	"example.com/signals/inspector"
)

func withServeMux(insp *inspector.Inspector) http.Handler {
	// region servemux
	mux := http.NewServeMux()
	mux.Handle("/debug/signals/", insp) // the slash at the end: all that is below
	// endregion
	return mux
}

func withChi(insp *inspector.Inspector) http.Handler {
	// region chi
	r := chi.NewRouter()
	r.Mount("/debug/signals", insp)
	// endregion
	return r
}

func withGin(insp *inspector.Inspector) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	// region gin
	r := gin.New()
	r.GET("/debug/signals/*page", gin.WrapH(insp))
	// endregion
	return r
}

func withEcho(insp *inspector.Inspector) http.Handler {
	// region echo
	e := echo.New()
	e.GET("/debug/signals", echo.WrapHandler(insp)) // leads to the one with the slash
	e.GET("/debug/signals/*", echo.WrapHandler(insp))
	// endregion
	return e
}

// linked are the addresses in a page.
var linked = regexp.MustCompile(`(?:href|src|action)="([^"]+)"`)

func TestTheInspectorBehindRouters(t *testing.T) {
	bus := signals.NewBus()
	signals.Topic[int](bus, "order.placed")
	insp := inspector.New(bus)
	defer insp.Close()
	for name, with := range map[string]func(*inspector.Inspector) http.Handler{"ServeMux": withServeMux, "chi": withChi, "gin": withGin, "echo": withEcho} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(with(insp))
			defer server.Close()
			for _, path := range []string{"/debug/signals/", "/debug/signals"} {
				at, page := read(t, server, server.URL+path)
				if !strings.Contains(page, "order.placed") {
					t.Errorf("%s does not show the signals: %.200s", path, page)
				}
				for _, m := range linked.FindAllStringSubmatch(page, -1) {
					to, err := at.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
					if err != nil {
						t.Fatal(err)
					}
					read(t, server, to.String())
				}
			}
		})
	}
}

func read(t *testing.T, server *httptest.Server, address string) (at *url.URL, body string) {
	t.Helper()
	resp, err := server.Client().Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %d %.200s", address, resp.StatusCode, data)
	}
	return resp.Request.URL, string(data)
}

func TestTheInspectorOnAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	insp := inspector.New(signals.NewBus())
	defer insp.Close()
	// region unix
	listener, err := net.Listen("unix", path) // who may use it is a matter of the file system
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: insp}
	go func() { _ = server.Serve(listener) }()
	// endregion
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
	resp, err := client.Get("http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%d; want 200", resp.StatusCode)
	}
}
