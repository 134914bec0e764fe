package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

func TestInspectorInABrowser(t *testing.T) {
	browser := startBrowser(t)
	url := openShop(t, 4)
	for name, test := range map[string]func(tab){
		"every view loads without complaints": everyViewLoads,
		"numbers move while the shop emits":   numbersMove,
		"graph shows the shop's wiring":       graphShowsWiring,
		"a click sorts":                       clickSorts,
		"typing filters":                      typingFilters,
		"a signal has a page of its own":      signalHasAPage,
		"diagnosis finds the stuck listener":  diagnosisFindsStuck,
		"keys work":                           keysWork,
		"it fits a phone":                     fitsAPhone,
		"on a phone the wiring is a list":     wiringIsAList,
		"failures are groups":                 failuresAreGroups,
		"it is useful without JavaScript":     usefulWithoutJavaScript,
	} {
		t.Run(name, func(t *testing.T) { test(openTab(t, browser, url)) })
	}
}

func everyViewLoads(b tab) {
	for _, view := range []string{"", "signals", "signal?signal=order.placed", "graph", "failures", "diagnosis"} {
		b.open(view)
		b.until(`document.documentElement.dataset.live === 'on'`)
	}
}

// total is the number of emissions of order.accepted that the page shows.
const total = `Number(document.getElementById('signal order.accepted').querySelector('td[data-name=Total]').textContent.replaceAll(',', ''))`

func numbersMove(b tab) {
	b.open("")
	before := eval[int](b, total)
	clock := b.text("header time")
	b.until(fmt.Sprintf("%s > %d", total, before+50))
	b.until(`document.querySelector('header time').textContent !== '` + clock + `'`)
	b.until(`document.getElementById('signal order.accepted').querySelector('td[data-name=Trend] svg')`)
}

func graphShowsWiring(b tab) {
	b.open("graph")
	// Call sites are looked at now and then; all have been, once these are there.
	for _, edge := range []string{
		"shop.(*Shop).Place → order.placed", "shop.(*Shop).tell → order.accepted", "audit → audit",
	} {
		b.until(`[...document.querySelectorAll('svg.graph .edge title')].some(e => e.textContent.startsWith('` + edge + `'))`)
	}
	for signal, listeners := range map[string]string{
		"order.placed": "validate stock payment record", "order.accepted": "inventory shipping analytics audit fraud-check recommendations",
		"user.registered": "analytics", "health.checked": "registry alerts", "metrics": "gauges", "audit": "journal", "payment.dead": "settle",
	} {
		b.until(`[...document.querySelectorAll('svg.graph .node.signal')].some(box => {
			const names = [...box.querySelectorAll('.label')].map(e => e.textContent);
			return names[0] === '` + signal + `' && names.slice(1).join(' ') === '` + listeners + `';
		})`)
	}
	b.until(`document.querySelector('svg.graph').textContent.includes('stuck for')`)
}

// totals are the numbers of emissions, from the top of the table down.
const totals = `[...document.querySelectorAll('tr.signal td[data-name=Total]')].map(e => Number(e.textContent.replaceAll(',', '')))`

func clickSorts(b tab) {
	b.open("")
	column := chromedp.Search(`//th/a[starts-with(., "Total")]`)
	for _, c := range []struct {
		direction string
		compare   func(a, b int) int
	}{
		{"descending", func(a, b int) int { return b - a }},
		{"ascending", func(a, b int) int { return a - b }},
	} {
		b.do(chromedp.Click(column))
		b.until(`document.querySelector('th[aria-sort=` + c.direction + `] a')?.textContent.startsWith('Total')`)
		if got := eval[[]int](b, totals); len(got) != 11 || !slices.IsSortedFunc(got, c.compare) {
			b.Errorf("not %s: %v", c.direction, got)
		}
	}
}

// names are the signals that the table shows.
const names = `[...document.querySelectorAll('tr.signal th a')].map(e => e.textContent)`

func typingFilters(b tab) {
	b.open("")
	b.do(chromedp.Click(chromedp.CSS("#q")), chromedp.SendKeys(chromedp.CSS("#q"), "cancel"))
	b.until(names + `.length === 2`)
	if got := eval[[]string](b, names+`.sort()`); !slices.Equal(got, []string{"order.cancelled", "order.cancelling"}) {
		b.Errorf("cancel is found in %v", got)
	}
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), " nothing"))
	b.until(`document.querySelector('p.empty')`)
	if text := b.text("p.empty"); !strings.Contains(text, "cancel nothing") {
		b.Errorf("it says %q", text)
	}
}

func signalHasAPage(b tab) {
	b.open("")
	b.click(`[...document.querySelectorAll('th a')].find(a => a.textContent === 'order.accepted')`)
	b.until(`document.querySelector('h1').textContent === 'order.accepted'`)
	b.until(`document.querySelectorAll('.charts svg').length >= 3`)
	listeners := eval[[]string](b, `[...document.querySelectorAll('tr.listener .key')].map(e => e.textContent)`)
	if want := []string{"inventory", "shipping", "analytics", "audit", "fraud-check", "recommendations"}; !slices.Equal(listeners, want) {
		b.Errorf("listeners are %v, want %v", listeners, want)
	}
	b.until(`document.querySelector('.sites')?.textContent.includes('shop.(*Shop).tell')`)
	// The shop keeps payloads, for whoever has shown the token of its operator.
	b.until(`document.querySelector('main').textContent.includes('only with inspector.Authorize')`)
	b.do(chromedp.NavigateBack())
	b.until(names + `.length === 11`)
}

func diagnosisFindsStuck(b tab) {
	b.open("")
	b.click(`[...document.querySelectorAll('nav a')].find(a => a.textContent.startsWith('Diagnosis'))`)
	const stuck = `[...document.querySelectorAll('.finding.error')].find(e => e.textContent.includes('fraud-check of "order.accepted" is stuck'))`
	b.until(stuck)
	if text := eval[string](b, stuck+`.textContent`); !strings.Contains(text, "shop/chaos.go:") {
		b.Errorf("it does not say where: %s", text)
	}
	b.until(`[...document.querySelectorAll('.finding.warning')].some(e => e.textContent.includes('recommendations of "order.accepted" falls behind'))`)
	b.click(`document.querySelector('.finding.error a[href^="stacks"]')`)
	b.until(`document.querySelector('pre.stack')`)
	if stack := b.text("pre.stack"); !strings.Contains(stack, "checkFraud") || !strings.Contains(stack, "chaos.go:") {
		b.Errorf("stack: %s", stack)
	}
}

func keysWork(b tab) {
	b.open("")
	b.until(`document.documentElement.dataset.live === 'on'`)
	b.do(chromedp.KeyEvent("2"))
	b.until(`document.querySelector('nav [aria-current]').textContent.startsWith('Wiring')`)
	b.do(chromedp.KeyEvent("1"))
	b.until(`document.querySelector('nav [aria-current]').textContent.startsWith('Signals')`)
	b.do(chromedp.KeyEvent("t"))
	b.until(`document.documentElement.dataset.theme === 'dark'`)
	b.do(chromedp.KeyEvent("t"))
	b.until(`document.documentElement.dataset.theme === 'light'`)
	b.do(chromedp.KeyEvent("p"))
	b.until(`document.documentElement.dataset.live === 'paused'`)
	b.do(chromedp.KeyEvent("p"))
	b.until(`document.documentElement.dataset.live === 'on'`)
}

func fitsAPhone(b tab) {
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	for _, view := range []string{"", "signal?signal=order.accepted", "graph", "failures", "diagnosis"} {
		b.open(view)
		if width := eval[int](b, `document.documentElement.scrollWidth`); width > 390 {
			b.Errorf("%s is %d wide", view, width)
		}
	}
}

func wiringIsAList(b tab) {
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	b.open("graph")
	b.until(`getComputedStyle(document.querySelector('.canvas')).display === 'none'`)
	b.until(`[...document.querySelectorAll('.wires > li')].some(e => e.innerText.includes('order.accepted') && e.innerText.includes('fraud-check') && e.innerText.includes('stuck'))`)
}

func failuresAreGroups(b tab) {
	b.open("failures")
	b.until(`document.querySelectorAll('.failures.wide > .failure .times').length > 0`)
	b.do(chromedp.Click(chromedp.CSS("#q")), chromedp.SendKeys(chromedp.CSS("#q"), "nothing-like-it"))
	b.until(`document.querySelector('p.empty')?.textContent.includes('None matches')`)
}

func usefulWithoutJavaScript(b tab) {
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	b.open("")
	if text := b.text("table.signals"); !strings.Contains(text, "order.accepted") || !strings.Contains(text, "fraud-check") {
		b.Errorf("the table shows %s", text)
	}
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "cancel"))
	b.submit()
	if text := b.text("table.signals"); !strings.Contains(text, "order.cancelled") || strings.Contains(text, "user.registered") {
		b.Errorf("filtered, the table shows %s", text)
	}
	for _, c := range []struct{ link, shows, want string }{
		{`//th/a[.="order.cancelled"]`, "h1", "order.cancelled"},
		{`//nav/a[starts-with(., "Wiring")]`, ".canvas", "order.placed"},
		{`//nav/a[starts-with(., "Diagnosis")]`, "main", "fraud-check"},
	} {
		b.follow(c.link)
		if text := b.text(c.shows); !strings.Contains(text, c.want) {
			b.Errorf("%s leads to %s", c.link, text)
		}
	}
}

// submit sends the form of the filter and waits for the page.
func (b tab) submit() {
	b.Helper()
	b.leads(chromedp.Click(chromedp.CSS("form.filter button")))
}

// follow clicks on a link and waits for the page.
func (b tab) follow(link string) {
	b.Helper()
	b.leads(chromedp.Click(chromedp.Search(link)))
}

func (b tab) leads(step chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, step); err != nil {
		b.Fatal(err)
	}
}
