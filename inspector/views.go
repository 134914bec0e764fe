package inspector

import (
	"html/template"
	"slices"
	"strings"
	"time"
)

const (
	pageSignals   = 50  // on a page
	pageListeners = 12  // rows of a signal on the page of all signals
	mostListeners = 200 // rows on the page of one signal
	pageFailures  = 50
	pageFindings  = 200
)

// pageData is what the templates get.
type pageData struct {
	View      string
	Title     string
	Version   string
	Query     string
	Sort      string
	Of        string // failures: the signal that they are of
	Tabs      []tab
	Time      time.Time
	Interval  float64
	AllLocals bool // whoever seems to be on this machine may look
	Totals    Totals
	Tiles     []tile
	Findings  []Finding
	MoreFinds int // findings that are not shown
	Failures  FailureLog
	MoreFails int // groups that are not shown

	Rows     []signalRow // views signals and signal
	Matching int
	From, To int
	Previous string
	Next     string
	Heads    []head

	Name      string // view signal
	Charts    []chart
	Sites     []siteRow
	Each      string // where the registrations are listed one by one
	Together  string // where they are rows
	Tail      []Payload
	TailOf    bool // payloads are kept, and whoever looks may see them
	TailNot   bool // payloads are asked for, but whoever looks has no right to them
	Graph     template.HTML
	Wires     []wire
	Omitted   int
	AllGraph  string
	Stacks    *Stacks
	NotFound  bool
	Listening int
	Stores    []storeView
	Bridges   []bridgeView
}

type tab struct {
	View, Link, Name, Badge, Class string
	Here                           bool
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
	Gone  []listenerRow // removed, with a call that still runs
	More  int
}

type listenerRow struct {
	Listener
	Async     bool
	Removed   bool
	Stacks    string
	Spark     template.HTML
	Histogram template.HTML
}

type siteRow struct {
	Function, Site, Inside string
	Rate                   float64
}

// data collects what the page shows; the templates then run without the lock.
func (v view) data() *pageData {
	i := v.i
	d := &pageData{View: v.name, Title: i.title, Version: version, Query: v.query.words, Sort: v.query.sort, Stacks: v.stacks, AllLocals: i.authorize == nil || i.locals.Load()}
	payloads := v.access >= ViewPayloads
	switch v.name {
	case "graph":
		g := i.graph(v.query)
		d.Omitted, d.Graph, d.Wires = g.Omitted, template.HTML(g.svg()), g.wires()
		if d.Omitted > 0 && v.query.offset == 0 && len(d.Wires) < highGraph {
			d.AllGraph = link("graph", "q", v.query.words, "limit", "0")
		}
	case "failures":
		q := v.query
		q.limit = pageFailures
		d.Failures, d.Of = i.failures.list(q, payloads), q.signal
		if n := len(d.Failures.Groups) - pageFailures; n > 0 {
			d.MoreFails, d.Failures.Groups = n, d.Failures.Groups[:pageFailures]
		}
	case "signal":
		d.Failures = i.failures.list(query{signal: v.query.signal, limit: 10}, payloads)
		d.Failures.Groups = d.Failures.Groups[:min(10, len(d.Failures.Groups))]
		d.TailOf = i.tails != nil && payloads
		d.TailNot = i.payloads > 0 && !payloads
		if d.TailOf {
			d.Tail = i.tails.list(v.query.signal)
		}
	}
	total := i.failures.count()
	sites := i.sites.all()

	i.mu.RLock()
	defer i.mu.RUnlock()
	s := &i.state
	d.Time, d.Interval, d.Totals = s.at, s.interval, s.totals
	d.Findings = slices.Clone(s.findings)
	d.tabs(total)
	d.storesTab(s)
	d.bridgesTab(s)
	switch v.name {
	case "stores":
		d.storesView(s)
	case "bridges":
		d.bridgesView(s)
	case "signals":
		d.Tiles = tiles(s)
		d.Findings = slices.DeleteFunc(d.Findings, func(f Finding) bool { return f.Severity == SeverityInfo })
		v.signals(d, s)
	case "signal":
		d.Name = v.query.signal
		if t := s.byName[d.Name]; t != nil {
			v.signal(d, t, sites[t.Name])
		} else {
			d.NotFound = true
		}
		d.Findings = slices.DeleteFunc(d.Findings, func(f Finding) bool { return !f.about(d.Name) })
	}
	if n := len(d.Findings) - pageFindings; n > 0 && v.name != "signals" {
		d.MoreFinds, d.Findings = n, d.Findings[:pageFindings]
	}
	return d
}

func (d *pageData) tabs(failures uint64) {
	for _, t := range tabs {
		n := tab{View: t.View, Link: t.Link, Name: t.Name, Here: t.View == d.View || t.View == "signals" && d.View == "signal"}
		switch {
		case t.View == "diagnosis" && d.Totals.Errors+d.Totals.Warnings > 0:
			n.Badge, n.Class = count(uint64(d.Totals.Errors+d.Totals.Warnings)), class(worst(d.Findings))
		case t.View == "failures" && failures > 0:
			n.Badge = brief(float64(failures))
		}
		d.Tabs = append(d.Tabs, n)
	}
}

// worst is the worst state that is wrong.
func worst(found []Finding) Status {
	w := StatusOK
	for _, f := range found {
		if f.Severity != SeverityInfo && f.Status.rank() < w.rank() {
			w = f.Status
		}
	}
	return w
}

func tiles(s *state) []tile {
	t := s.totals
	one := func(name string, value float64, unit, note string, values []float32, class string) tile {
		return tile{Name: name, Value: brief(value), Unit: unit, Note: note, Class: class, Spark: spark(values, nil, 0)}
	}
	waits := make([]float32, len(s.emitted.waits))
	for k, w := range s.emitted.waits {
		waits[k] = float32(w)
	}
	lost := t.Drops + t.Refusals
	return []tile{
		one("Emissions", t.EmitRate, "/s", count(t.Emissions)+" in all", s.emitted.rates, ""),
		one("Deliveries", t.DeliverRate, "/s", count(t.Deliveries)+" in all"+some(t.Vetoes, "veto", "vetoes"), s.called.rates, ""),
		one("Failures", t.FailRate, "/s", count(t.Failures)+" in all, "+plural(t.Panics, "panic"), s.emitted.fails, s.classOf(StatusFailing)),
		one("Pending", float64(t.Pending), "", plural(uint64(t.Workers), "worker")+some(uint64(t.Leaving), "leaving", "leaving"), waits, s.classOf(StatusLagging)),
		{Name: "Lost", Value: brief(float64(lost)), Note: plural(t.Drops, "drop") + ", " + plural(t.Refusals, "refusal"), Class: s.classOf(StatusDropping)},
	}
}

// some adds to a note what there is some of.
func some(n uint64, forms ...string) string {
	if n == 0 {
		return ""
	}
	return ", " + plural(n, forms...)
}

// classOf is the class of a status if a finding is about it.
func (s *state) classOf(status Status) string {
	if slices.ContainsFunc(s.findings, func(f Finding) bool { return f.Severity != SeverityInfo && f.Status == status }) {
		return class(status)
	}
	return ""
}

func (v view) signal(d *pageData, t *signalTrack, sites []callSite) {
	rows := t.rows
	d.Listening = len(t.listeners)
	switch {
	case v.query.each:
		rows = t.registrations()
		rows = rows[min(v.query.offset, len(rows)):]
		d.Together = link("signal", "signal", t.Name)
		if v.query.offset > 0 {
			d.Previous = link("signal", "signal", t.Name, "each", "1", "offset", offset(max(0, v.query.offset-mostListeners)))
		}
		if len(rows) > mostListeners {
			d.Next = link("signal", "signal", t.Name, "each", "1", "offset", offset(v.query.offset+mostListeners))
			rows = rows[:mostListeners]
		}
		d.From, d.To, d.Matching = v.query.offset+1, v.query.offset+len(rows), len(t.listeners)
	case len(t.groups) > 0:
		d.Each = link("signal", "signal", t.Name, "each", "1")
	}
	d.Rows = []signalRow{t.show(rows, mostListeners, true)}
	d.Charts = []chart{newChart("Emissions", "", t.rates, "/s"), newChart("Failures", "bad", t.fails, "/s")}
	if t.Kind != "sync" {
		d.Charts = append(d.Charts, newChart("Pending", "", t.waits, ""))
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
