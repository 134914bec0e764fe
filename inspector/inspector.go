package inspector

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals"
	"example.com/signals/eventstore"
)

// Inspector is the handler of one bus. Make one with New.
type Inspector struct {
	config
	bus      *signals.Bus
	failures failureLog
	sites    callSites
	tails    *tails // nil unless payloads are kept
	stacks   stackCache
	calls    callWatch
	recents  recents
	feeds    feeds
	stores   []*storeWatch // see Stores; does not change
	bridges  bridges
	answers  atomic.Int64 // under way
	waits    atomic.Int64 // requests that wait before they are answered
	locals   atomic.Bool  // somebody was let in by LocalOnly
	now      func() time.Time
	release  []func() // what Close calls
	closing  sync.Once
	closed   chan struct{}

	mu      sync.RWMutex // over what follows
	state   state
	asked   time.Time     // when the last sample was taken for somebody
	watched int           // streams
	idle    chan struct{} // closed when the last of them leaves
	changed chan struct{} // closed at the next sample; streams wait for it
}

// config is what the options say.
type config struct {
	authorize func(*http.Request) Access // nil: only this machine, and no payloads
	redact    func(string, any) any      // nil: payloads are described as they are
	stuck     time.Duration
	sample    int
	keep      int
	payloads  int
	only      []string
	title     string
	stores    []*eventstore.Store
}

// Option configures an Inspector.
type Option func(*config)

// Authorize decides about every request, instead of the rule that only this
// machine may look, and is a must where a reverse proxy is on the machine: for
// whoever comes through it looks as if from here. An open stream asks it again
// before each event, so that a right that is withdrawn ends the stream. It may
// be called from several goroutines at once.
func Authorize(allow func(*http.Request) Access) Option {
	if allow == nil {
		panic("inspector: Authorize(nil): give a function or leave the option out")
	}
	return func(c *config) { c.authorize = allow }
}

// StuckAfter sets how long a call must have run to be called stuck; 10 seconds
// without it. Of a sync listener's call that is known only from the first look
// at the diagnosis on, or once the runtime says for how many minutes it waits.
func StuckAfter(d time.Duration) Option {
	if d <= 0 {
		panic(fmt.Sprintf("inspector: StuckAfter(%v): want a positive duration", d))
	}
	return func(c *config) { c.stuck = d }
}

// CallSites sets how the inspector learns from where emissions are made: it
// looks at the first few of each signal and then at 1 in every, 64 without the
// option, for a moment after each sample of the counters; with 1 at each, at
// all times. With 0 it looks at none, and the wiring graph begins at the
// signals.
func CallSites(every int) Option {
	if every < 0 {
		panic(fmt.Sprintf("inspector: CallSites(%d): want 0 or more", every))
	}
	return func(c *config) { c.sample = every }
}

// KeepFailures sets how many of the last failures are kept; 200 without it.
func KeepFailures(n int) Option {
	if n < 1 {
		panic(fmt.Sprintf("inspector: KeepFailures(%d): want 1 or more", n))
	}
	return func(c *config) { c.keep = n }
}

// Payloads keeps the last n payloads, as text, of the signals with those
// names, or of all: each emission of them is then looked at, and anybody to
// whom Authorize grants ViewPayloads sees what they hold. Without Authorize
// nobody has that right, so none is kept.
//
// A type that has LogValue, Format, Error, String, MarshalJSON, MarshalText or
// GoString, with a pointer as receiver too, is written by the first of these,
// in the emission; Redact is for payloads whose types leave no secrets out, or
// whose methods take locks that the emitter holds.
func Payloads(n int, names ...string) Option {
	if n < 1 {
		panic(fmt.Sprintf("inspector: Payloads(%d): want 1 or more", n))
	}
	return func(c *config) { c.payloads, c.only = n, names }
}

// Redact puts what redact returns in the place of each payload that Payloads
// keeps, those of failures too: a copy without secrets, or a text. It gets the
// name of the signal, runs in the emission, perhaps on several goroutines at
// once, and must not change the payload. Of a payload for which it panics
// nothing is shown.
func Redact(redact func(signal string, payload any) any) Option {
	if redact == nil {
		panic("inspector: Redact(nil): give a function or leave the option out")
	}
	return func(c *config) { c.redact = redact }
}

// Title is what the page calls the program; "Signals" without it.
func Title(title string) Option {
	return func(c *config) { c.title = title }
}

// Handler returns New as an http.Handler, for those who never end it.
func Handler(bus *signals.Bus, opts ...Option) http.Handler { return New(bus, opts...) }

// New makes the inspector of a bus, to be mounted wherever its pages should
// be; Close ends it.
func New(bus *signals.Bus, opts ...Option) *Inspector {
	if bus == nil {
		panic("inspector: New: the bus is nil")
	}
	i := &Inspector{
		config:  config{stuck: 10 * time.Second, sample: 64, keep: 200, title: "Signals"},
		bus:     bus,
		now:     time.Now,
		closed:  make(chan struct{}),
		changed: make(chan struct{}),
	}
	for _, o := range opts {
		o(&i.config)
	}
	i.failures.keep = i.keep
	i.watchStores()
	i.sites.every, i.sites.bus = uint32(i.sample), bus
	i.release = append(i.release, bus.Observe(signals.Observer{Failure: i.failed, Drop: i.recents.dropped}), func() { i.sites.rest(true) })
	if i.payloads > 0 && i.authorize != nil {
		i.tails = &tails{keep: i.payloads, redact: i.redacted}
		i.release = append(i.release, bus.Tap(i.tails.add, i.only...).Unsubscribe)
	}
	i.look(true) // what later figures are compared with
	i.asked = time.Time{}
	return i
}

// Close takes the inspector off its bus and ends its streams. It may be called
// more than once; the pages go on answering, with what the counters say.
func (i *Inspector) Close() {
	i.closing.Do(func() {
		for _, release := range i.release {
			release()
		}
		close(i.closed)
	})
}
