package inspector

import (
	"bytes"
	"errors"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
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
	"sign":    sign,
	"class":   class,
}).ParseFS(assets, "assets/*.html"))

const (
	pageSignals   = 50  // on a page
	pageListeners = 12  // of a signal on the page of all signals
	mostListeners = 200 // on the page of one signal
	pageFailures  = 50
)

// view is one page for one request.
type view struct {
	i      *Inspector
	access Access
	query  query
	name   string
	stacks *Stacks // of the page of stacks
}

// tabs are the views that the navigation shows.
var tabs = []struct{ View, Name string }{
	{"signals", "Signals"}, {"graph", "Wiring"}, {"failures", "Failures"}, {"diagnosis", "Diagnosis"},
}

// viewName returns the name of the view at a path, or "".
func viewName(path string) string {
	switch path {
	case "", "index.html":
		return "signals"
	case "signals", "signal", "graph", "failures", "diagnosis", "stacks":
		return path
	}
	return ""
}

// pageData is what the templates get.
type pageData struct {
	View     string
	Title    string
	Version  string
	Query    string
	Sort     string
	Tabs     []tab
	Time     time.Time
	Interval float64
	Totals   Totals
	Tiles    []tile
	Findings []Finding
	Failures FailureLog

	Rows     []signalRow // views signals and signal
	Matching int
	From, To int
	Previous string
	Next     string
	Heads    []head

	Name     string // view signal
	Charts   []chart
	Sites    []siteRow
	Tail     []Payload
	TailOf   bool // payloads are kept and may be seen
	Graph    template.HTML
	Omitted  int
	Stacks   *Stacks
	NotFound bool
}

type tab struct {
	View, Name, Badge, Class string
	Here                     bool
}

type tile struct {
	Name, Value, Unit, Note string
	Class                   string
	Spark                   template.HTML
}

// head is the head of a column.
type head struct {
	Name, Title, Class, Link, Arrow string
	Sort                            string // aria-sort
}

type signalRow struct {
	Signal
	Link  string
	Spark template.HTML
	Rows  []listenerRow
	More  int
}

type listenerRow struct {
	Listener
	Async     bool
	Stacks    string
	Spark     template.HTML
	Histogram template.HTML
}

type siteRow struct {
	Function, Site, Inside string
	Rate                   float64
}

// errNoView: there is no such page.
var errNoView = errors.New("inspector: no such page")

// page sends a whole page.
func (i *Inspector) page(w http.ResponseWriter, r *http.Request, v view) {
	if v.name == "" {
		http.NotFound(w, r)
		return
	}
	if v.name == "diagnosis" {
		i.seeAll()
	} else {
		i.see()
	}
	if v.name == "stacks" && !v.loadStacks(r.URL.Query().Get("listener")) {
		http.NotFound(w, r)
		return
	}
	var b bytes.Buffer
	data := v.data()
	if err := templates.ExecuteTemplate(&b, "page", data); err != nil {
		http.Error(w, "inspector: "+err.Error(), http.StatusInternalServerError)
		return
	}
	kind := "text/html; charset=utf-8"
	if data.NotFound {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(http.StatusNotFound)
	}
	send(w, r, kind, b.Bytes())
}

// body renders what changes of a page: all between <body> and </body>.
func (v view) body() ([]byte, error) {
	if v.name == "" || v.name == "stacks" {
		return nil, errNoView
	}
	if v.name == "diagnosis" {
		v.i.examine(openPace, math.MaxInt)
	}
	var b bytes.Buffer
	err := templates.ExecuteTemplate(&b, "body", v.data())
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

// data collects what the page shows; the templates then run without the lock.
func (v view) data() *pageData {
	i := v.i
	d := &pageData{View: v.name, Title: i.title, Version: version, Query: v.query.words, Sort: v.query.sort, Stacks: v.stacks}
	var graph Graph
	switch v.name {
	case "graph":
		q := v.query
		if q.limit == 0 {
			q.limit = defaultGraph
		}
		graph = i.graph(q)
		d.Omitted = graph.Omitted
		d.Graph = template.HTML(graph.svg())
	case "failures":
		d.Failures = i.failures.list(v.query.signal, pageFailures, v.access >= ViewPayloads)
	case "signal":
		d.Failures = i.failures.list(v.query.signal, 10, v.access >= ViewPayloads)
		d.TailOf = i.tails != nil && v.access >= ViewPayloads
		if d.TailOf {
			d.Tail = i.tails.list(v.query.signal)
		}
	}
	total := i.failures.list("", 1, false).Total
	sites := i.sites.all()

	i.mu.RLock()
	defer i.mu.RUnlock()
	s := &i.state
	d.Time, d.Interval, d.Totals = s.at, s.interval, s.totals
	d.Findings = slices.Clone(s.findings)
	d.tabs(total)
	switch v.name {
	case "signals":
		d.Tiles = tiles(s)
		d.Findings = slices.DeleteFunc(d.Findings, func(f Finding) bool { return f.Severity == SeverityInfo })
		v.signals(d, s)
	case "signal":
		d.Name = v.query.signal
		if t := s.byName[d.Name]; t != nil {
			d.signal(t, sites[t.Name])
		} else {
			d.NotFound = true
		}
		d.Findings = slices.DeleteFunc(d.Findings, func(f Finding) bool { return !f.about(d.Name) })
	}
	return d
}

func (d *pageData) tabs(failures uint64) {
	for _, t := range tabs {
		n := tab{View: t.View, Name: t.Name, Here: t.View == d.View || t.View == "signals" && d.View == "signal"}
		switch {
		case t.View == "diagnosis" && d.Totals.Errors > 0:
			n.Badge, n.Class = count(uint64(d.Totals.Errors+d.Totals.Warnings)), "bad"
		case t.View == "diagnosis" && d.Totals.Warnings > 0:
			n.Badge, n.Class = count(uint64(d.Totals.Warnings)), "warn"
		case t.View == "failures" && failures > 0:
			n.Badge = brief(float64(failures))
		}
		d.Tabs = append(d.Tabs, n)
	}
}

func tiles(s *state) []tile {
	t := s.totals
	one := func(name string, value float64, unit, note string, values []float32, class string) tile {
		return tile{Name: name, Value: brief(value), Unit: unit, Note: note, Class: class, Spark: spark(values, nil)}
	}
	waits := make([]float32, len(s.emitted.waits))
	for k, w := range s.emitted.waits {
		waits[k] = float32(w)
	}
	lost := t.Drops + t.Refusals
	bad := map[bool]string{true: "bad", false: ""}
	return []tile{
		one("Emissions", t.EmitRate, "/s", count(t.Emissions)+" in all", s.emitted.rates, ""),
		one("Deliveries", t.DeliverRate, "/s", count(t.Deliveries)+" in all", s.called.rates, ""),
		one("Failures", t.FailRate, "/s", count(t.Failures)+" in all, "+plural(t.Panics, "panic"), s.emitted.fails, bad[t.FailRate > 0]),
		one("Pending", float64(t.Pending), "", plural(uint64(t.Workers), "worker"), waits, ""),
		{Name: "Lost", Value: brief(float64(lost)), Note: plural(t.Drops, "drop") + ", " + plural(t.Refusals, "refusal"), Class: map[bool]string{true: "warn"}[lost > 0]},
	}
}

// heads are the columns of the table that can be sorted by.
var heads = []struct{ name, title, class, sort string }{
	{"Signal and its listeners", "", "name", "name"},
	{"Trend", "rate over the last samples; ticks below are failures", "trend", ""},
	{"Rate", "emissions or deliveries a second", "num", "rate"},
	{"Total", "emissions or deliveries", "num", "emissions"},
	{"Failed", "failures, panics among them", "num", "failures"},
	{"Lost", "drops and refusals", "num", "drops"},
	{"Waiting", "pending emissions, lag", "num", "pending"},
	{"p50", "half of the sampled calls took at most", "num", ""},
	{"p99", "99 % of the sampled calls took at most", "num", "p99"},
	{"State", "", "state", "status"},
}

func (v view) signals(d *pageData, s *state) {
	for _, h := range heads {
		n := head{Name: h.name, Title: h.title, Class: h.class}
		if h.sort != "" {
			next := "-" + h.sort // numbers: the largest first
			if h.sort == "name" {
				next = h.sort
			}
			switch v.query.sort {
			case h.sort:
				n.Arrow, n.Sort, next = "↑", "ascending", "-"+h.sort
			case "-" + h.sort:
				n.Arrow, n.Sort, next = "↓", "descending", h.sort
			}
			n.Link = link("signals", "q", v.query.words, "sort", next)
		}
		d.Heads = append(d.Heads, n)
	}
	q := v.query
	q.signal = ""
	if q.limit == 0 || q.limit > pageSignals {
		q.limit = pageSignals
	}
	picked, matching := s.pick(q)
	d.Matching = matching
	d.From, d.To = min(q.offset+1, matching), q.offset+len(picked)
	if q.offset > 0 {
		d.Previous = link("signals", "q", q.words, "sort", q.sort, "offset", number(max(0, q.offset-q.limit)))
	}
	if d.To < matching {
		d.Next = link("signals", "q", q.words, "sort", q.sort, "offset", number(d.To))
	}
	for _, t := range picked {
		d.Rows = append(d.Rows, t.row(pageListeners, false))
	}
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strings.ReplaceAll(count(uint64(n)), ",", "")
}

func (t *signalTrack) row(most int, detail bool) signalRow {
	row := signalRow{Signal: t.Signal, Link: link("signal", "signal", t.Name), Spark: spark(t.rates, t.fails)}
	for k, l := range t.listeners {
		if k >= most && len(t.listeners) > most+1 {
			row.More = len(t.listeners) - k
			break
		}
		r := listenerRow{Listener: l.Listener, Async: t.Kind != "sync", Spark: spark(l.rates, l.fails)}
		if detail {
			r.Histogram = histogram(l.durations)
		}
		if l.InFlight > 0 && l.Running >= 1 {
			r.Stacks = link("stacks", "signal", t.Name, "listener", l.ID)
		}
		row.Rows = append(row.Rows, r)
	}
	return row
}

func (d *pageData) signal(t *signalTrack, sites []callSite) {
	d.Rows = []signalRow{t.row(mostListeners, true)}
	d.Charts = []chart{newChart("Emissions", "", t.rates, "/s"), newChart("Failures", "bad", t.fails, "/s")}
	if t.Kind != "sync" {
		d.Charts = append(d.Charts, newChart("Pending", "wait", t.waits, ""))
	}
	var sum uint64
	for _, s := range sites {
		sum += s.weight
	}
	slices.SortFunc(sites, func(a, b callSite) int { return strings.Compare(a.site, b.site) })
	for _, s := range sites {
		d.Sites = append(d.Sites, siteRow{s.function, s.site, s.inside, t.EmitRate * float64(s.weight) / float64(sum)})
	}
}

// loadStacks finds the stacks of a listener.
func (v *view) loadStacks(id string) bool {
	s, ok := v.i.stacksOf(v.query.signal, id)
	v.stacks = &s
	return ok
}
