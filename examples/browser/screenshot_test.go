package browser

import (
	"context"
	"flag"
	"os"
	"path/filepath"
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
	b := openTab(t, browser, openShop(t, 2))
	b.open("signals?sort=-status") // the worst first
	// With most of a minute in every line.
	b.until(`document.querySelectorAll('.finding').length >= 2`)
	for range 45 {
		b.until(`document.querySelector("header time").textContent !== "` + b.text("header time") + `"`)
	}
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
