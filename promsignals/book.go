package promsignals

import (
	"slices"
	"sync"
	"time"

	"example.com/signals"
)

// book notes what removed listeners have counted: each of them, whether a scrape
// ever saw it or not. Its method removed is what signals call.
type book struct {
	mu       sync.Mutex
	by       map[*signals.SignalInfo]*page // under mu
	scraping bool                          // from take to turn; under mu
}

// page is what a book has of one signal since the last scrape.
type page struct {
	kept map[string]bool                   // labels with series of their own; does not change
	live map[*signals.ListenerInfo]bool    // what the last scrape saw; does not change
	left map[*signals.ListenerInfo]bool    // those of them that have been removed
	gone map[string]*signals.ListenerStats // by label: what removed ones have counted
	open []*departed                       // which may count more, the oldest first
}

// departed is a removed listener that may count more: of an async signal by a call
// in flight, of a sync one by emissions that are under way and go on to call it,
// which nobody can see.
type departed struct {
	info    *signals.ListenerInfo
	label   string
	counted signals.ListenerStats // as far as it is in page.gone, or was
	at      time.Time
}

const (
	// maxGone is how many labels of a signal are told apart between scrapes, but
	// for those with series of their own. The others are in Other.
	maxGone = 256
	// So many departed listeners of a signal are asked at each scrape, for so long;
	// after that they tell what they have when it is final.
	maxOpen = 1024
	openFor = time.Minute
)

func newDeparted(l *signals.ListenerInfo) *departed {
	stats := l.Stats()
	return &departed{info: l, label: labelOf(&stats), at: time.Now()}
}

// more returns what the listener has counted since it was last asked, and whether
// that is all.
func (d *departed) more() (more signals.ListenerStats, final bool) {
	now := d.info.Stats()
	more = d.since(&now)
	return more, d.info.Signal.Kind != signals.KindSync && now.InFlight == 0
}

func (d *departed) since(now *signals.ListenerStats) signals.ListenerStats {
	more := since(&d.counted, now)
	add(&d.counted, &more) // rather than now, which leads to the listener and would keep it
	return more
}

// leaveTo lets the listener tell the book when it is final.
func (d *departed) leaveTo(b *book) {
	info := d.info
	sig := info.Signal
	d.info = nil // what it tells must not lead to it
	info.Final(func(now signals.ListenerStats) {
		more := d.since(&now)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.page(sig).count(d.label, &more)
	})
}

// page returns the page of a signal. It must be called with mu held.
func (b *book) page(sig *signals.SignalInfo) *page {
	if b.by == nil {
		b.by = make(map[*signals.SignalInfo]*page)
	}
	p := b.by[sig]
	if p == nil {
		p = new(page)
		b.by[sig] = p
	}
	return p
}

// removed notes a removed listener.
func (b *book) removed(l *signals.ListenerInfo) {
	d := newDeparted(l)
	more, final := d.more()
	b.mu.Lock()
	p := b.page(l.Signal)
	if b.scraping || p.live[l] {
		if p.left == nil {
			p.left = make(map[*signals.ListenerInfo]bool)
		}
		p.left[l] = true
	}
	p.count(d.label, &more)
	if !final {
		p.open = append(p.open, d)
	}
	over := p.over()
	b.mu.Unlock()
	for _, d := range over { // outside the lock: it takes those of signals
		more, _ := d.more()
		d.leaveTo(b)
		b.mu.Lock()
		b.page(l.Signal).count(d.label, &more) // perhaps another page: a scrape has been
		b.mu.Unlock()
	}
}

// over takes those out that are not to be asked any more, two at most.
func (p *page) over() []*departed {
	n := 0
	for n < min(len(p.open), 2) && (len(p.open)-n > maxOpen || time.Since(p.open[n].at) > openFor) {
		n++
	}
	over := p.open[:n:n]
	p.open = p.open[n:]
	return over
}

// count adds what was counted under a label.
func (p *page) count(label string, l *signals.ListenerStats) {
	if p.gone == nil {
		p.gone = make(map[string]*signals.ListenerStats)
	}
	if p.gone[label] == nil && len(p.gone) >= maxGone && !p.kept[label] {
		label = Other
	}
	if p.gone[label] == nil {
		p.gone[label] = new(signals.ListenerStats)
	}
	add(p.gone[label], l)
}

// take returns the pages and begins new ones. It must be called before the
// signals are read: then no listener is both in a page and among those read.
func (b *book) take() map[*signals.SignalInfo]*page {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scraping = true
	taken := b.by
	b.by = make(map[*signals.SignalInfo]*page, len(taken))
	for sig, p := range taken {
		b.by[sig] = &page{kept: p.kept, live: p.live}
	}
	return taken
}

// settle asks those on a taken page that may count more, and puts back those that
// still may.
func (b *book) settle(sig *signals.SignalInfo, p *page) {
	open := p.open[:0]
	for _, d := range p.open {
		more, final := d.more()
		p.count(d.label, &more)
		switch {
		case final:
		case time.Since(d.at) > openFor:
			d.leaveTo(b)
		default:
			open = append(open, d)
		}
	}
	b.reopen(sig, open...)
}

// reopen puts back some that may count more.
func (b *book) reopen(sig *signals.SignalInfo, open ...*departed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.page(sig)
	p.open = append(slices.Clip(open), p.open...)
}

// turn ends a scrape: what it saw of the signals. Those that were there when it
// began and that it has not seen have left the bus.
func (b *book) turn(taken map[*signals.SignalInfo]*page, seen map[*signals.SignalInfo]*series) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scraping = false
	for sig := range taken {
		if seen[sig] == nil {
			delete(b.by, sig)
		}
	}
	for sig, s := range seen {
		p := b.page(sig)
		p.kept, p.live = s.labels(), s.live
	}
}
