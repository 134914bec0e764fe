package promsignals

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/signals"
)

// Signal is what a collector reads: every kind of signal, and wrappers that
// pass its Stats on.
type Signal interface {
	Stats() signals.SignalStats
}

// Collector is a prometheus.Collector that reads Stats when it is scraped. It
// may be registered with several registries.
type Collector struct {
	config  // read only, as are the next three
	sources []*source
	fixed   bool // the label signal is constant
	descs   descs

	mu     sync.Mutex
	series map[string]*series // by label value of the signal
}

// source is what has signals: a bus, or one signal.
type source struct {
	read     func() []signals.SignalStats
	book     book
	observed bool // the book hears of each listener that is removed
}

var _ prometheus.Collector = (*Collector)(nil)

// Other is the label of the sum of those listeners of a signal that have no
// series of their own.
const Other = "_other"

// Option configures a collector.
type Option func(*config)

type config struct {
	limit       int
	also        []Signal
	labels      prometheus.Labels
	first, last int // buckets of signals.Durations
}

// MaxListeners sets how many listeners of each signal have series of their own,
// 20 without it. The others are summed into Other. With 0 all are.
func MaxListeners(n int) Option {
	if n < 0 {
		panic(fmt.Sprintf("promsignals: MaxListeners(%d): want 0 or more", n))
	}
	return func(c *config) { c.limit = n }
}

// Also adds signals that are not on the bus to its collector: a registry
// refuses collectors of a bus and of a signal beside each other.
func Also(sigs ...Signal) Option {
	return func(c *config) { c.also = append(c.also, sigs...) }
}

// ConstLabels gives all series these labels as well: a registry takes the collectors
// of several buses if each has the same label names with other values.
func ConstLabels(labels prometheus.Labels) Option {
	for name := range labels {
		if !nameOfLabel.MatchString(name) || slices.Contains(ownLabels, name) {
			panic(fmt.Sprintf("promsignals: ConstLabels: %q; want a name like bus, and none of %s", name, strings.Join(ownLabels, ", ")))
		}
	}
	return func(c *config) {
		for name, value := range labels {
			c.labels[name] = valid(value)
		}
	}
}

var (
	nameOfLabel = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`)
	ownLabels   = []string{"signal", "listener", "kind", "payload", "le"}
)

// Buckets sets how far the bounds of signals_listener_duration_seconds reach: to one
// that is at most shortest, and one that is at least longest. Without it that is 1
// microsecond and 17 seconds. Each is twice the last, which is as fine as signals
// count: fewer mean fewer series, and no other quantiles.
func Buckets(shortest, longest time.Duration) Option {
	if shortest <= 0 || longest < shortest {
		panic(fmt.Sprintf("promsignals: Buckets(%v, %v): want two durations above 0, the shorter one first", shortest, longest))
	}
	first, last := 0, 0
	for i := range signals.DurationBuckets - 1 { // the last one has no bound
		if signals.BucketBound(i) <= shortest {
			first = i
		}
		if last = i; signals.BucketBound(i) >= longest {
			break
		}
	}
	return func(c *config) { c.first, c.last = min(first, last), last }
}

func configure(opts []Option) config {
	c := config{limit: 20, labels: prometheus.Labels{}, first: firstBound, last: lastBound}
	for _, o := range opts {
		o(&c)
	}
	return c
}

// NewBusCollector returns a collector of all signals of a bus, those that join
// later too. A registry takes one, or several that ConstLabels tells apart: all of
// them must have those labels.
func NewBusCollector(b *signals.Bus, opts ...Option) *Collector {
	if b == nil {
		panic("promsignals: NewBusCollector: the bus is nil")
	}
	c := configure(opts)
	own := &source{read: b.Stats, observed: true}
	stops := []func(){b.Observe(signals.Observer{ListenerRemoved: own.book.removed})}
	sources := []*source{own}
	for _, s := range c.also {
		src, stop := sourceOf(s)
		sources, stops = append(sources, src), append(stops, stop)
	}
	return newCollector(sources, stops, c)
}

// NewSignalCollector returns a collector of one signal. A registry takes any
// number of them, for signals of different names: a signal must have its name
// by now. A sync signal should be signals.Counted.
func NewSignalCollector(s Signal, opts ...Option) *Collector {
	if s == nil {
		panic("promsignals: NewSignalCollector: the signal is nil")
	}
	c := configure(opts)
	if len(c.also) > 0 {
		panic("promsignals: NewSignalCollector: Also is for the collector of a bus; make one collector for each signal")
	}
	src, stop := sourceOf(s)
	c.labels["signal"] = valid(s.Stats().Name)
	return newCollector([]*source{src}, []func(){stop}, c)
}

// sourceOf makes the source of one signal. One that is foreign, and does not say
// who is removed, shows what scrapes saw.
func sourceOf(s Signal) (src *source, stop func()) {
	src = &source{read: func() []signals.SignalStats { return []signals.SignalStats{s.Stats()} }}
	if o, ok := s.(interface {
		ObserveListeners(added, removed func(l *signals.ListenerInfo)) (stop func())
	}); ok {
		stop = o.ObserveListeners(nil, src.book.removed)
	}
	src.observed = stop != nil
	return src, stop
}

// newCollector makes the collector. A bus or a signal holds the book of each
// source, and not the collector: when that is not used any more, they are stopped.
func newCollector(sources []*source, stops []func(), conf config) *Collector {
	_, fixed := conf.labels["signal"]
	c := &Collector{config: conf, sources: sources, fixed: fixed, descs: describe(conf.labels), series: make(map[string]*series)}
	runtime.AddCleanup(c, func(stops []func()) {
		for _, stop := range stops {
			if stop != nil {
				stop()
			}
		}
	}, stops)
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.descs.info
	ch <- c.descs.duration
	for _, ds := range [][]*prometheus.Desc{c.descs.signal, c.descs.listener} {
		for _, d := range ds {
			ch <- d
		}
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.collect() {
		ch <- m
	}
}

// collect reads under the mutex, so that of two scrapes at once neither shows
// the past.
func (c *Collector) collect() (metrics []prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := make(map[string]*series)
	for _, src := range c.sources {
		taken := src.book.take()
		scraped := make(map[*signals.SignalInfo]*series)
		for _, stats := range src.read() {
			v := &view{SignalStats: stats, name: valid(stats.Name)}
			for n := 2; seen[v.name] != nil; n++ {
				v.name = fmt.Sprintf("%s#%d", valid(stats.Name), n)
			}
			s := c.series[v.name]
			if s == nil {
				s = newSeries()
			}
			seen[v.name] = s
			there, gone := s.follow(v, src, taken)
			metrics = c.signal(metrics, v, s, s.sort(there, gone, c.limit))
			if s.sig != nil {
				scraped[s.sig] = s
			}
		}
		src.book.turn(taken, scraped)
	}
	c.series = seen
	return metrics
}

// signal appends the metrics of one signal.
func (c *Collector) signal(metrics []prometheus.Metric, v *view, s *series, listeners []labelled) []prometheus.Metric {
	labels := func(more ...string) []string {
		if c.fixed {
			return more
		}
		return append([]string{v.name}, more...)
	}
	pending := v.Pending
	for i := range v.Listeners {
		pending = max(pending, v.Listeners[i].Lag)
	}
	v.oldest = s.marks.age(time.Now(), v.Emissions, pending)
	v.oldest = max(v.oldest, v.leaving())
	for i := range v.Listeners {
		v.oldest = max(v.oldest, v.Listeners[i].Running)
	}
	metrics = append(metrics, prometheus.MustNewConstMetric(c.descs.info, gauge, 1, labels(string(v.Kind), valid(v.Payload))...))
	for i, m := range signalMetrics {
		if m.known == nil || m.known(v) {
			metrics = append(metrics, prometheus.MustNewConstMetric(c.descs.signal[i], m.kind, m.value(v), labels()...))
		}
	}
	for _, l := range listeners {
		own := labels(l.label)
		for i, m := range listenerMetrics {
			if (m.known == nil || m.known(v)) && (m.kind == counter || !l.gone) {
				metrics = append(metrics, prometheus.MustNewConstMetric(c.descs.listener[i], m.kind, m.value(&l.stats), own...))
			}
		}
		if v.Counted {
			metrics = append(metrics, histogram(c.descs.duration, &l.stats.Durations, c.first, c.last, own))
		}
	}
	return metrics
}

// labelOf is what a listener is called.
func labelOf(l *signals.ListenerStats) string {
	if l.Key != "" {
		return valid(l.Key)
	}
	return valid(l.Listener + " " + l.Site)
}

// valid makes a label value of a name: one that is not UTF-8 would spoil the
// whole scrape.
func valid(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }
