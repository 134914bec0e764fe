// Package feedgen invents days of a stock market, as TotalView-ITCH 5.0 would
// tell them: an exchange with books of its own matches invented orders, so that
// each message is one that could follow those before it.
package feedgen

import (
	"io"
	"math/rand/v2"
	"time"

	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// Config says which day to invent.
type Config struct {
	Messages int64  // how many, from 1
	Stocks   int    // at most; fewer if the day is too short to mention all of them
	Seed     uint64 // another one, another day; the same one, the same day
}

// The parts of a day, with the share of its messages that each has: much at the
// open and at the close, little at noon.
var phases = []struct {
	from, to time.Duration
	share    float64
	open     bool // the market is
}{
	{at(9, 25, 0), at(9, 30, 0), 0.05, false},
	{at(9, 30, 0), at(9, 40, 0), 0.20, true},
	{at(9, 40, 0), at(11, 0, 0), 0.17, true},
	{at(11, 0, 0), at(14, 30, 0), 0.18, true},
	{at(14, 30, 0), at(15, 50, 0), 0.18, true},
	{at(15, 50, 0), at(16, 0, 0), 0.22, true},
}

func at(h, m, s int) time.Duration {
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
}

// Generator invents one day. One goroutine at a time may use it.
type Generator struct {
	cfg    Config
	rnd    *rand.Rand
	set    *book.Set
	stocks []*stock
	pick   []int // numbers of stocks, each as often as it is traded

	made    int64          // messages returned
	queue   []itch.Message // invented and not yet returned, from head on
	head    int            //
	now     time.Duration  // of the last message
	phase   int            // of phases
	left    int64          // messages that the phase still has
	total   int64          // that it had
	burst   int            // messages that follow at once
	closing bool           // the day is over, the rest is in the queue
	ref     uint64         // of the last order
	match   uint64         // of the last execution
	fill    func(book.Order, uint32)
	taker   *stock // whose order fill executes
	resume  []pending
}

// ordersPerStock is about how many orders a book holds.
const ordersPerStock = 400

// New starts a day.
func New(cfg Config) *Generator {
	n := int(min(int64(cfg.Stocks), max(cfg.Messages/60, 1), 20_000))
	g := &Generator{
		cfg: cfg,
		rnd: rand.New(rand.NewPCG(cfg.Seed, 0x6974_6368)),
		set: book.NewSet(2 * n * ordersPerStock),
	}
	g.fill = func(maker book.Order, shares uint32) { g.execution(g.taker, maker, shares) }
	g.begin(max(n, 1))
	return g
}

// Next returns the next message, and io.EOF after the last one.
func (g *Generator) Next(m *itch.Message) error {
	if g.made == g.cfg.Messages {
		return io.EOF
	}
	for g.head == len(g.queue) {
		g.queue, g.head = g.queue[:0], 0
		g.invent()
	}
	*m = g.queue[g.head]
	g.head++
	g.made++
	return nil
}

// invent puts at least one message into the queue.
func (g *Generator) invent() {
	if g.left <= 0 {
		g.turn()
		return
	}
	before := len(g.queue)
	g.tick()
	if len(g.resume) > 0 {
		g.resumes(false)
	}
	s := g.stocks[g.pick[g.rnd.IntN(len(g.pick))]]
	if phases[g.phase].open && !s.halted {
		g.trading(s)
	} else {
		g.quoting(s)
	}
	g.left -= int64(len(g.queue) - before)
}

// turn ends a phase of the day and begins the next one. The market opens behind
// the first one and closes behind the last, each with a cross.
func (g *Generator) turn() {
	switch {
	case g.closing: // what a day says last is not enough to fill it: quotes after hours
		g.quoting(g.stocks[g.rnd.IntN(len(g.stocks))])
		return
	case g.phase < 0:
	case g.phase == len(phases)-1:
		g.end()
		return
	case !phases[g.phase].open && phases[g.phase+1].open:
		g.now = max(g.now, phases[g.phase].to)
		g.push(itch.SystemEvent{Event: itch.EventStartOfMarketHours}.Message(g.header(0)))
		g.cross(itch.CrossOpening)
	}
	g.phase++
	g.now = max(g.now, phases[g.phase].from)
	rest := 0.0
	for _, p := range phases[g.phase:] {
		rest += p.share
	}
	// What is still to come has been invented or is reserved for the close.
	todo := g.cfg.Messages - g.made - int64(len(g.queue)-g.head) - g.reserve()
	g.total = max(int64(float64(todo)*phases[g.phase].share/rest), 0)
	g.left = g.total
	if g.left == 0 && len(g.queue) == g.head {
		g.turn()
	}
}

// reserve is how many messages the rest of the day takes that are not orders.
func (g *Generator) reserve() int64 {
	crosses := int64(1)
	if g.phase < 1 {
		crosses = 2
	}
	resumed := 3*int64(len(g.resume)) + min(64, g.cfg.Messages/100)
	return crosses*4*int64(len(g.stocks)) + resumed + 4
}

// tick moves the clock: most messages come in bursts, as people react to each
// other, and the bursts are spread over the phase.
func (g *Generator) tick() {
	if g.burst > 0 {
		g.burst--
		g.now += time.Duration(200 + g.rnd.IntN(20_000))
		return
	}
	g.burst = int(g.rnd.ExpFloat64() * 4)
	p := phases[g.phase]
	part := 1 - float64(g.left)/float64(g.total)
	g.now = max(g.now+time.Duration(200+g.rnd.IntN(5_000)), p.from+time.Duration(part*float64(p.to-p.from)))
}

func (g *Generator) header(locate uint16) itch.Header {
	return itch.Header{Locate: locate, Tracking: uint16(g.rnd.Uint32N(4)), Time: g.now}
}

func (g *Generator) push(m itch.Message) { g.queue = append(g.queue, m) }

func (g *Generator) nextRef() uint64 {
	g.ref += uint64(1 + g.rnd.IntN(8)) // others are hidden, or of other markets
	return g.ref
}

func (g *Generator) nextMatch() uint64 {
	g.match++
	return g.match
}
