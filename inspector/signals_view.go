package inspector

import (
	"cmp"
	"strconv"
)

// heads are the columns of the table that can be sorted by.
var heads = []struct{ name, title, class, sort string }{
	{"Signal and its listeners", "", "name", "name"},
	{"Trend", "rate over the last minute; ticks below are failures", "trend", ""},
	{"Rate", "emissions or deliveries a second", "num", "rate"},
	{"Total", "emissions or deliveries", "num", "emissions"},
	{"Failed", "failures, panics among them", "num", "failures"},
	{"Vetoed", "expected noes, which are no failures", "num", "vetoes"},
	{"Lost", "drops and refusals", "num", "drops"},
	{"Waiting", "pending emissions, lag", "num", "pending"},
	{"p50", "half of the sampled calls took at most", "num", ""},
	{"p99", "99 % of the sampled calls took at most", "num", "p99"},
	{"State", "the worst first", "state", "status"},
}

func (v view) signals(d *pageData, s *state) {
	sorted := cmp.Or(v.query.sort, worstFirst)
	for _, h := range heads {
		n := head{Name: h.name, Title: h.title, Class: h.class}
		if h.sort != "" {
			next := "-" + h.sort // numbers: the largest first
			if h.sort == "name" {
				next = h.sort
			}
			switch sorted {
			case h.sort:
				n.Arrow, n.Sort, next = "↑", "ascending", "-"+h.sort
			case "-" + h.sort:
				n.Arrow, n.Sort, next = "↓", "descending", h.sort
			}
			n.Link = link("./", "q", v.query.words, "sort", next)
		}
		d.Heads = append(d.Heads, n)
	}
	q := v.query
	q.signal = ""
	most := q.most(pageSignals, pageSignals)
	picked, matching := s.pick(q, most)
	d.Matching = matching
	d.From, d.To = min(q.offset+1, matching), q.offset+len(picked)
	if q.offset > 0 {
		d.Previous = link("./", "q", q.words, "sort", q.sort, "offset", offset(max(0, q.offset-most)))
	}
	if d.To < matching {
		d.Next = link("./", "q", q.words, "sort", q.sort, "offset", offset(d.To))
	}
	for _, t := range picked {
		d.Rows = append(d.Rows, t.show(t.rows, pageListeners, false))
	}
}

// offset is one in a link, where 0 needs none.
func offset(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// show makes what the page shows of a signal and of rows of it.
func (t *signalTrack) show(rows []*listenerTrack, most int, detail bool) signalRow {
	row := signalRow{Signal: t.Signal, Link: link("signal", "signal", t.Name), Spark: spark(t.rates, t.fails, t.seen)}
	for k, l := range rows {
		if k >= most && len(rows) > most+1 {
			row.More = len(rows) - k
			break
		}
		r := listenerRow{Listener: l.Listener, Async: t.Kind != "sync", Spark: spark(l.rates, l.fails, l.seen)}
		if detail {
			r.Histogram = histogram(l.durations)
		}
		if l.InFlight > 0 && l.Running >= 1 {
			r.Stacks = link("stacks", "signal", t.Name, "listener", l.worst().ID)
		}
		row.Rows = append(row.Rows, r)
	}
	for k, l := range t.leaving {
		if k >= most && len(t.leaving) > most+1 {
			row.More += len(t.leaving) - k
			break
		}
		row.Gone = append(row.Gone, listenerRow{Listener: l, Async: true, Removed: true, Stacks: link("stacks", "signal", t.Name, "listener", l.ID)})
	}
	return row
}
