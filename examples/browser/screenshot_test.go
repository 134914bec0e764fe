package browser

import (
	"bufio"
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "write the picture of the README")

// picture is where the README has it.
const picture = "../../docs/inspector.png"

func TestScreenshot(t *testing.T) {
	if !*update {
		if _, err := os.Stat(picture); err != nil {
			t.Errorf("%v; make it with -update", err)
		}
		t.Skip("without -update it is not made anew")
	}
	browser := startBrowser(t)
	url := openShop(t, 2)
	watch(t, url, 50)
	b := openTab(t, browser, url)
	b.open("") // the worst first
	b.until(`document.documentElement.dataset.live === 'on' && document.querySelectorAll('.finding').length >= 3`)
	// As high as the two signals that have the most to tell.
	height := eval[int64](b, `Math.floor(document.querySelectorAll('tbody')[1].getBoundingClientRect().bottom)`)
	b.do(chromedp.EmulateViewport(1280, height))
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.FromSlash(picture), png, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d KB", picture, len(png)>>10)
}

// watch looks at the inspector until the test ends, and returns after some
// seconds, when its lines have a past.
func watch(t *testing.T, url string, seconds int) {
	t.Helper()
	resp, err := http.Get(url + "events?limit=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	past := make(chan bool, 2)
	go func() {
		lines := bufio.NewScanner(resp.Body)
		for n := 0; lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "event: ") {
				if n++; n == seconds {
					past <- true
				}
			}
		}
		past <- false
	}()
	if !<-past {
		t.Fatal("the stream has ended")
	}
}
