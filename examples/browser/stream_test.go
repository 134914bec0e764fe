package browser

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"example.com/signals"
	"example.com/signals/inspector"
)

// counted serves an inspector beside an application, and knows how many
// streams are open.
type counted struct {
	url string

	mu   sync.Mutex
	open int // streams now
	most int // that were open at the same time
}

func (c *counted) now() (open, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.most
}

func serveCounted(t *testing.T, bus *signals.Bus, opts ...inspector.Option) *counted {
	t.Helper()
	c := &counted{}
	insp := inspector.New(bus, opts...)
	mux := http.NewServeMux()
	mux.HandleFunc("/signals/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/live") {
			c.mu.Lock()
			c.open++
			c.most = max(c.most, c.open)
			c.mu.Unlock()
			defer func() {
				c.mu.Lock()
				c.open--
				c.mu.Unlock()
			}()
		}
		insp.ServeHTTP(w, r)
	})
	mux.HandleFunc("/application", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("it answers")) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	t.Cleanup(insp.Close)
	c.url = "http://" + l.Addr().String() + "/signals/"
	return c
}

const live = `document.documentElement.dataset.live === 'on'`

func TestManyPagesOfABrowserHaveOneStream(t *testing.T) {
	browser := startBrowser(t)
	_, bus := openShopWith(t, 4)
	c := serveCounted(t, bus)
	var tabs []tab
	for k, view := range []string{"", "graph", "failures", "diagnosis", "?q=order", "signal?signal=order.placed", "", "graph"} {
		b := openTab(t, browser, c.url)
		b.open(view)
		b.until(live)
		tabs = append(tabs, b)
		if open, _ := c.now(); open > 2 { // one that is being left, and the next one
			t.Errorf("%d streams are open for %d pages", open, k+1)
		}
	}
	for k, b := range tabs {
		if text := eval[string](b, `fetch('../application').then(r => r.text())`); text != "it answers" {
			t.Errorf("page %d: the application says %q", k, text)
		}
		clock := b.text("header time")
		b.until(`document.querySelector('header time').textContent !== '` + clock + `'`)
	}
	if open, _ := c.now(); open != 1 {
		t.Errorf("%d streams are open for %d pages; want 1", open, len(tabs))
	}
}

// hide makes a page believe that nobody sees it, or that somebody does again:
// without a screen no page is ever hidden.
func hide(b tab, hidden bool) {
	b.Helper()
	eval[bool](b, fmt.Sprintf(`(() => {
		Object.defineProperty(document, 'hidden', { value: %v, configurable: true });
		document.dispatchEvent(new Event('visibilitychange'));
		return true;
	})()`, hidden))
}

func TestAPageThatNobodySeesHasNoStream(t *testing.T) {
	browser := startBrowser(t)
	_, bus := openShopWith(t, 4)
	c := serveCounted(t, bus)
	b := openTab(t, browser, c.url)
	b.open("")
	b.until(live)
	hide(b, true)
	eventually(t, "the stream is closed", func() bool { open, _ := c.now(); return open == 0 })
	hide(b, false)
	b.until(live)
	eventually(t, "the stream is open again", func() bool { open, _ := c.now(); return open == 1 })
	b.open("stacks?signal=order.accepted&listener=fraud-check") // which does not change
	eventually(t, "the page of stacks has none", func() bool { open, _ := c.now(); return open == 0 })
}

func TestWithoutSharedWorkersAPageHasItsOwnStream(t *testing.T) {
	browser := startBrowser(t)
	_, bus := openShopWith(t, 4)
	c := serveCounted(t, bus)
	b := openTab(t, browser, c.url)
	b.before(`delete self.SharedWorker`)
	b.open("")
	b.until(live)
	clock := b.text("header time")
	b.until(`document.querySelector('header time').textContent !== '` + clock + `'`)
	hide(b, true)
	eventually(t, "the stream is closed", func() bool { open, _ := c.now(); return open == 0 })
}

func TestPayloadsAreShownToWhomAuthorizeLets(t *testing.T) {
	browser := startBrowser(t)
	_, bus := openShopWith(t, 4)
	c := serveCounted(t, bus, inspector.Payloads(5, "order.accepted"), inspector.Authorize(func(*http.Request) inspector.Access { return inspector.ViewPayloads }))
	b := openTab(t, browser, c.url)
	b.open("signal?signal=order.accepted")
	b.until(`document.querySelectorAll('.tail li').length > 0`)
}
