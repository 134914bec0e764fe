package inspector

import "html/template"

// storeView is what the page shows of a store.
type storeView struct {
	StoreInfo
	Answered  bool
	Spark     template.HTML
	Listeners []durableView
}

type durableView struct {
	DurableListener
	Spark template.HTML
	Ahead string // how long it takes it to catch up, or ""
}

// storesTab adds the tab of the stores, if there are any.
func (d *pageData) storesTab(s *state) {
	if len(s.stores) == 0 {
		return
	}
	t := tab{View: "stores", Link: "stores", Name: "Stores", Here: d.View == "stores"}
	found, wrong := []Finding{}, 0
	for _, f := range d.Findings {
		if f.Store != "" && f.Severity != SeverityInfo {
			found, wrong = append(found, f), wrong+1
		}
	}
	if wrong > 0 {
		t.Badge, t.Class = count(uint64(wrong)), class(worst(found))
	}
	d.Tabs = append(d.Tabs, t)
}

// storesView fills in the page of the stores.
func (d *pageData) storesView(s *state) {
	found := d.Findings
	d.Findings = nil
	for _, f := range found {
		if f.Store != "" {
			d.Findings = append(d.Findings, f)
		}
	}
	for _, t := range s.stores {
		v := storeView{StoreInfo: t.StoreInfo, Answered: !t.at.IsZero(), Spark: spark(t.rates, nil, t.seen)}
		for _, l := range t.listeners {
			row := durableView{DurableListener: l.DurableListener, Spark: spark(l.rates, nil, l.seen)}
			if left := l.left(s.at); left > 0 && l.Lag > 0 {
				row.Ahead = seconds(left.Seconds())
			}
			v.Listeners = append(v.Listeners, row)
		}
		d.Stores = append(d.Stores, v)
	}
}

// storeList is what stores.json says.
func (i *Inspector) storeList(history bool) StoreList {
	i.mu.RLock()
	defer i.mu.RUnlock()
	out := StoreList{Time: i.state.at, Stores: i.state.storeInfos(history, true)}
	if out.Stores == nil {
		out.Stores = []StoreInfo{}
	}
	return out
}

// storeInfos are the stores of the last sample; nil if there are none.
func (s *state) storeInfos(history, letters bool) (out []StoreInfo) {
	for _, t := range s.stores {
		info := t.StoreInfo
		if history {
			info.History = t.history()
		}
		info.Listeners = make([]DurableListener, 0, len(t.listeners))
		for _, l := range t.listeners {
			one := l.DurableListener
			if history {
				one.History = l.history()
			}
			if !letters {
				one.Letters = nil
			}
			info.Listeners = append(info.Listeners, one)
		}
		out = append(out, info)
	}
	return out
}
