package browser

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"example.com/signals"
	"example.com/signals/examples/internal/shop"
)

// patience bounds what a test waits for. It is long for machines that are busy.
const patience = 2 * time.Minute

// openShop runs a shop with customers, a payment gateway that fails at times and
// Chaos, and returns the URL of its inspector. It closes with the test.
func openShop(t *testing.T, speed shop.Speed) (url string) {
	t.Helper()
	url, _ = openShopWith(t, speed)
	return url
}

// openShopWith is openShop, and returns the bus too.
func openShopWith(t *testing.T, speed shop.Speed) (url string, bus *signals.Bus) {
	t.Helper()
	gateway, err := shop.OpenGateway(1)
	if err != nil {
		t.Fatal(err)
	}
	s := shop.New(shop.Config{
		Stock: shop.FullShelves(20_000), Restock: 20_000, Gateway: gateway.URL(),
		Log: slog.New(slog.DiscardHandler), Notice: func(string) {},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stopHTTP := shop.NewAPI(s).Serve(l)
	chaos := shop.StartChaos(s)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		live := shop.Live{Shop: s, Screen: shop.NewScreen(io.Discard, 0), Seed: 1, Speed: speed, Forever: true}
		live.Run(ctx)
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
		_ = chaos.Release(context.Background())
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, end := range []func(context.Context) error{stopHTTP, s.Close} {
			if err := end(ctx); err != nil {
				t.Error(err)
			}
		}
		if err := gateway.Close(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String() + "/signals/", s.Signals.Bus
}

// startBrowser starts chromium, or skips the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes a minute: not with -short")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no chromium; Debian's package is called so")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // it does not work for root; the pages are ours
		chromedp.Flag("hide-scrollbars", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("%s does not start: %v", path, err)
	}
	return ctx
}

// tab is a page. What it complains about on its console fails the test.
type tab struct {
	*testing.T
	ctx  context.Context
	base string
}

func openTab(t *testing.T, browser context.Context, base string) tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	var (
		mu         sync.Mutex
		complaints []string
	)
	complain := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, fmt.Sprintf(format, args...))
	}
	if err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			complain("exception: %v", ev.ExceptionDetails)
		case *log.EventEntryAdded:
			if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
				complain("%s: %s %s", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
			}
		case *runtime.EventConsoleAPICalled:
			complain("console: %v", ev.Args)
		}
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // before the tab is closed
		mu.Lock()
		defer mu.Unlock()
		for _, c := range complaints {
			t.Errorf("on the console: %s", c)
		}
	})
	b := tab{t, ctx, base}
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}},
		})
		return err
	}))
	return b
}

// do runs actions.
func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// before runs a script in each page that is opened, before its own.
func (b tab) before(js string) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: js})
		return err
	}))
}

// eventually waits until a condition is met.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("still waiting until %s", what)
		}
	}
}

// open goes to a view of the inspector.
func (b tab) open(view string) {
	b.Helper()
	b.do(chromedp.Navigate(b.base + view))
}

// text is what an element shows.
func (b tab) text(css string) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(css)))
	if err != nil {
		b.Fatalf("%s: %v", css, err)
	}
	return text
}

// eval returns the value of an expression.
func eval[T any](b tab, js string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", js, err)
	}
	return v
}

// click clicks on the element that js finds, as soon as it finds one: in one
// go, because the page is patched every second. The answer comes before the
// click, which may leave the page.
func (b tab) click(js string) {
	b.Helper()
	b.until(`(() => { const e = ` + js + `; if (e) setTimeout(() => e.click()); return e })()`)
}

// until waits until an expression is true. The page's policy forbids eval, so
// the expression is part of the script, and looked at when the page changes.
func (b tab) until(js string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	var err error
	for again := true; again; again = err != nil && strings.Contains(err.Error(), "navigated") { // then look at the next page
		_, err = chromedp.Run(ctx, chromedp.Evaluate[bool](
			`new Promise(ok => { const look = () => (`+js+`) ? ok(true) : setTimeout(look, 50); look(); })`, chromedp.EvalAwaitPromise))
	}
	if err != nil {
		page, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
		b.Fatalf("it never came true that %s: %v; the page:\n%s", js, err, page)
	}
}
