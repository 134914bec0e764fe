package shop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/signals"
	"example.com/signals/examples/internal/english"
)

// ordersPerSecond is how often the generator acts at speed 1x.
const ordersPerSecond = 25

// The story, in seconds after opening.
const (
	declineAt = 5
	jamAt     = 10
	jamFor    = 3 * time.Second
	summaryAt = 20
)

// Live is the open shop: invented customers, and one line a second about what
// goes on.
type Live struct {
	Shop    *Shop
	Screen  *Screen
	Seed    uint64
	Speed   Speed
	Orders  int  // stop after that many of the generator's orders; 0: do not count
	Forever bool // go on after the story
}

// Run keeps the shop open until ctx ends, the generator has had its orders, or
// the story is told. Then nobody orders anymore on its behalf; the shop itself
// is still open.
func (l *Live) Run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	var generator sync.WaitGroup
	defer generator.Wait()
	defer stop()
	generated := make(chan struct{})
	generator.Go(func() {
		defer close(generated)
		l.generate(ctx)
	})

	checker := NewChecker(l.Shop)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var last int64
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-generated:
			return
		case <-second.C:
		}
		checker.Check(ctx)
		orders := l.Shop.Orders()
		l.Shop.Signals.Metrics.Emit(ctx, Metric{"orders_per_second", float64(orders - last)})
		l.line(n, orders, orders-last)
		last = orders
		if l.tell(ctx, n) {
			return
		}
	}
}

// generate acts for the customers, at even distances.
func (l *Live) generate(ctx context.Context) {
	g := NewGenerator(l.Seed)
	pace := NewPacer(l.Speed)
	start := time.Now()
	for orders, actions := 0, 0; l.Orders == 0 || orders < l.Orders; actions++ {
		if pace.Wait(ctx, start.Add(time.Duration(actions)*time.Second/ordersPerSecond)) != nil {
			return
		}
		// WithoutCancel: what a customer has begun is finished, Ctrl-C or not.
		step := context.WithoutCancel(ctx)
		a := g.Next(time.Now())
		var err error
		if a.Order != nil {
			orders++
			a.Order.ID = l.Shop.numbers + a.Order.ID
			_, err = l.Shop.Place(step, *a.Order)
		} else {
			_, err = l.Shop.Cancel(step, l.Shop.numbers+a.Cancel)
		}
		if err != nil && !expected(err) {
			l.Screen.Printf("generator: %v", err)
		}
	}
}

// expected tells refusals that are part of business from faults.
func expected(err error) bool {
	return signals.IsVeto(err) || errors.Is(err, ErrPaymentUnavailable) // settle tells of it
}

func (l *Live) line(n int, orders, more int64) {
	lag := l.Shop.waiting()
	l.Screen.Printf("%s  %s (+%d)  %d cancelled  %d refused  revenue %s  chain p99 %s  lag %s",
		clock(n), english.Plural(orders, "order"), more, l.Shop.Cancellations(), l.Shop.Refused(),
		FormatMoney(l.Shop.Books.Totals().Revenue, 2), short(l.Shop.Chain.Percentiles().P99), lag)
}

// tell goes on with the story and reports whether it ends the run.
func (l *Live) tell(ctx context.Context, n int) (end bool) {
	switch n {
	case declineAt:
		l.decline(ctx)
	case jamAt:
		l.Screen.Printf("%s  story: the label printer in shipping jams", clock(n))
		l.Shop.Shipping.Jam(jamFor)
	case jamAt + 1:
		l.showSlow(n)
	case jamAt + int(jamFor/time.Second) + 1:
		l.Screen.Printf("%s  story: the printer works again and shipping has caught up: lag %s", clock(n), lags(l.Shop.departments()))
	case summaryAt:
		if !l.Forever && l.Orders == 0 {
			return true
		}
		l.Screen.Printf("%s  story: that was it; here is how the shop stands, and it stays open (Ctrl-C closes it)", clock(n))
		l.Shop.WriteSummary(l.Screen, false)
	}
	return false
}

// storyKey marks the context of the story's order.
type storyKey struct{}

// decline orders with a card that has no funds. An observer looks at the shelf
// between the steps, which is what observers are for: the chain does not know
// of it.
func (l *Live) decline(ctx context.Context) {
	level := func() int64 { return l.Shop.Stock.Level(storyProduct) }
	before, reserved := level(), int64(0)
	stop := l.Shop.Signals.Bus.Observe(signals.Observer{
		ListenerBegin: func(ctx context.Context, info *signals.ListenerInfo) context.Context {
			if ctx.Value(storyKey{}) != nil && info.Key == "payment" {
				reserved = level()
			}
			return ctx
		},
	})
	defer stop()
	_, err := l.Shop.Place(context.WithValue(ctx, storyKey{}, true), Order{
		ID: l.Shop.numbers + "STORY1", Source: FromGenerator, Country: "United Kingdom",
		Card: "400000000000" + declinedSuffix, Time: time.Now(),
		Lines: []Line{CatalogLine(storyProduct, 3)},
	})
	if _, ok := errors.AsType[*DeclinedError](err); !ok {
		l.Screen.Printf("%s  story: expected a declined payment, got %v", clock(declineAt), err)
		return
	}
	l.Screen.Printf("%s  story: %v", clock(declineAt), err)
	l.Screen.Printf("%s  story: the stock is released: %d of %s on the shelf before, %d while the bank was asked, %d now",
		clock(declineAt), before, storyProduct, reserved, level())
}

// showSlow names the listener that the library has just warned of.
func (l *Live) showSlow(n int) {
	slow, others := slowest(l.Shop.departments())
	l.Screen.Printf("%s  story: slow listener %q of order.accepted (%s, registered at %s) has a lag of %d; the others: %s",
		clock(n), slow.Key, slow.Listener, slow.Site, slow.Lag, lags(others))
}

// waiting says for whom something waits: for each of the departments, if one is
// behind, and for whoever else is, such as a listener of Chaos.
func (s *Shop) waiting() string {
	look := func() map[string]int {
		behind := make(map[string]int)
		for _, st := range s.Signals.Stats() {
			for i, l := range st.Listeners {
				switch {
				case l.Lag == 0 || st.Name == "order.accepted" && i < departments:
				case st.Name == "order.accepted":
					behind[l.Key] = l.Lag
				default:
					behind[st.Name+"/"+l.Key] = l.Lag
				}
			}
		}
		return behind
	}
	var parts []string
	if listeners := s.departments(); busy(listeners) > 0 {
		parts = append(parts, lags(listeners))
	}
	others := look()
	for range 3 { // as of the departments, the lowest of a few looks
		if len(others) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
		now := look()
		for name, lag := range others {
			if others[name] = min(lag, now[name]); others[name] == 0 {
				delete(others, name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		parts = append(parts, fmt.Sprintf("%s %s", name, english.Group(others[name])))
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, ", ")
}

// departments are the listeners of order.accepted. An emission that was made
// this very moment is pending for everybody; so of a few looks the lowest lag
// is taken, and what remains is a backlog.
func (s *Shop) departments() []signals.ListenerStats {
	// Not those of Chaos, which come after them.
	look := func() []signals.ListenerStats { return s.Signals.Accepted.Stats().Listeners[:departments] }
	best := look()
	for range 3 {
		if busy(best) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
		for i, l := range look() {
			if l.Lag < best[i].Lag {
				best[i] = l
			}
		}
	}
	return best
}

func busy(listeners []signals.ListenerStats) (n int) {
	for _, l := range listeners {
		if l.Lag > 0 {
			n++
		}
	}
	return n
}

// slowest takes the listener with the largest lag out of the list.
func slowest(listeners []signals.ListenerStats) (slow signals.ListenerStats, others []signals.ListenerStats) {
	at := 0
	for i, l := range listeners {
		if l.Lag > listeners[at].Lag {
			at = i
		}
	}
	others = append(others, listeners[:at]...)
	return listeners[at], append(others, listeners[at+1:]...)
}

// lags is the lag of each listener, by key.
func lags(listeners []signals.ListenerStats) string {
	parts := make([]string, len(listeners))
	for i, l := range listeners {
		parts[i] = fmt.Sprintf("%s %d", l.Key, l.Lag)
	}
	return strings.Join(parts, ", ")
}

// clock is a time since opening.
func clock(seconds int) string { return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60) }
