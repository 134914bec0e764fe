package shop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"example.com/signals/inspector"
)

// shelf is what fits on one. The supplier is told by a department that runs
// behind the orders, so there must be enough for all that may wait meanwhile.
const shelf = 20_000

// closeWithin bounds how long a closing shop waits for its departments.
const closeWithin = 30 * time.Second

// answerWithin bounds how long it waits for the clients of its API before.
const answerWithin = 10 * time.Second

// Business is the live shop: invented customers, those of the API, and the page.
type Business struct {
	HTTP   string // where page and API listen
	Orders int    // ends after that many invented orders; 0: does not count
	Speed  Speed
	Seed   uint64
	Chaos  bool

	Ledger Ledger // nil: in memory
	// Opening, if not nil, is called before anybody can order. What it returns
	// comes before the number of every order, and tells apart those of several runs
	// over one ledger.
	Opening func(context.Context, *Shop) (numbers string, err error)
	// Inspected, if not nil, says what else the inspector shows; called after
	// Opening.
	Inspected func() []inspector.Option
}

// Run keeps the shop open until ctx ends or the customers have had enough, closes
// it and prints what it has done. It returns an exit code.
func (b *Business) Run(ctx context.Context, screen *Screen, stderr io.Writer) (int, error) {
	listener, err := net.Listen("tcp", b.HTTP)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		return 0, fmt.Errorf("cannot listen on %s: %w", b.HTTP, err)
	}
	gateway, err := OpenGateway(b.Seed)
	if err != nil {
		listener.Close()
		return 0, fmt.Errorf("cannot open the payment gateway: %w", err)
	}
	defer gateway.Close()
	s := New(Config{
		Stock:   FullShelves(shelf),
		Restock: shelf,
		Gateway: gateway.URL(),
		Log:     slog.New(slog.NewTextHandler(stderr, nil)),
		Notice:  func(text string) { screen.Printf("%s", text) },
		Ledger:  b.Ledger,
	})
	if b.Opening != nil {
		if s.numbers, err = b.Opening(ctx, s); err != nil {
			listener.Close()
			return 0, errors.Join(err, Closing(s))
		}
	}
	before := s.Books.Totals().Revenue // another gateway had it
	var more []inspector.Option
	if b.Inspected != nil {
		more = b.Inspected()
	}
	api := newAPI(s, more, hostOf(b.HTTP))
	stopHTTP := api.Serve(listener)
	url := "http://" + dialable(listener.Addr())
	screen.Printf("The shop is open. Its signals at work: %s/", url)
	screen.Printf("With payloads, for whoever has this link: %s%s", url, api.OperatorPath())
	var chaos *Chaos
	if b.Chaos {
		chaos = StartChaos(s)
		screen.Printf("Chaos: %s/signals/diagnosis finds a listener that is stuck and one that is slow.", url)
	}
	screen.Printf("Order something:\n")
	screen.Printf("  curl -s %s/orders -H 'Content-Type: application/json' -d '%s'", url,
		`{"country":"France","card":"4242424242424242","lines":[{"stock_code":"85123A","quantity":2}]}`)
	screen.Printf("  curl -s %s/stats\n", url)

	live := Live{
		Shop: s, Screen: screen, Seed: b.Seed, Speed: b.Speed, Orders: b.Orders,
		Forever: screen.Terminal(),
	}
	live.Run(ctx)

	// From the outside in: no more requests, then no more emissions, and only
	// when the departments are done, the figures.
	screen.Printf("\nClosing: no more orders; the departments finish what was accepted.")
	var chaosErr error
	if chaos != nil {
		chaosErr = closing(closeWithin, chaos.Release)
	}
	httpErr := closing(answerWithin, stopHTTP)
	busErr := Closing(s)
	screen.Printf("Orders accepted: %d from the generator, %d from clients; %d refused; %d cancelled.",
		s.Accepted(FromGenerator), s.Accepted(FromAPI), s.Refused(), s.Cancellations())
	agreed := s.WriteSummary(screen, true)
	if err := errors.Join(chaosErr, httpErr, busErr); err != nil {
		return 0, err
	}
	if held, revenue := gateway.Balance(), s.Books.Totals().Revenue.Sub(before); !held.Equal(revenue) {
		screen.Printf("THE GATEWAY HOLDS %s, the revenue since it opened is %s", FormatMoney(held, 2), FormatMoney(revenue, 2))
		agreed = false
	} else {
		since := ""
		if !before.IsZero() {
			since = " since the shop opened"
		}
		screen.Printf("The payment gateway holds %s, which is the revenue%s.", FormatMoney(held, 2), since)
	}
	if !agreed {
		return ExitFailed, nil
	}
	return ExitOK, nil
}

// closing calls f with a context of its own: the one that Ctrl-C has ended
// would leave no time to finish.
func closing(within time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return f(ctx)
}

// Closing closes a shop, and waits for its departments.
func Closing(s *Shop) error { return closing(closeWithin, s.Close) }

// hostOf is the host of an address, by which the user has called the shop.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return host
}

// dialable is an address that a client on this machine can use: a server on
// all addresses is reached on the loopback one.
func dialable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(strings.Split(host, "%")[0]); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
