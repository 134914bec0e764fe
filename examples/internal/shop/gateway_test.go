package shop

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

// hurry does not wait for long, except for answers: a test machine may be slow.
var hurry = patience{answer: 5 * time.Second, wait: time.Millisecond, openFor: 10 * time.Millisecond}

// gatewayOf opens one that the test closes.
func gatewayOf(t testing.TB, seed uint64) *Gateway {
	t.Helper()
	g, err := OpenGateway(seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// withGateway is a shop that pays at g; both must agree when it is closed.
func withGateway(t testing.TB, g *Gateway, p patience) *Shop {
	t.Helper()
	s := opened(t, func(c *Config) { c.Gateway, c.patience, c.Restock = g.URL(), p, 1000 })
	t.Cleanup(func() { // runs before s is closed
		closed(t, s)
		if revenue := s.Books.Totals().Revenue; !g.Balance().Equal(revenue) {
			t.Errorf("the gateway holds %v, the books say %v", g.Balance(), revenue)
		}
	})
	return s
}

// orderWith returns the number of an order that the faults treat so.
func orderWith(t testing.TB, f faults, is func(first, always fault) bool) string {
	t.Helper()
	for i := range 100_000 {
		id := fmt.Sprintf("T%d", i)
		if is(f.of(http.MethodPost, id, 1), f.of(http.MethodPost, id, 1_000)) {
			return id
		}
	}
	t.Fatal("no order has such a fault")
	return ""
}

func TestFaultOfTheGatewayIsRepeatedAndChargedOnce(t *testing.T) {
	for name, want := range map[string]fault{"unavailable": unavailable, "answer lost": answerLost} {
		t.Run(name, func(t *testing.T) {
			g := gatewayOf(t, 1)
			id := orderWith(t, g.faults, func(first, always fault) bool { return first == want && always == none })
			s := withGateway(t, g, hurry)
			o, err := s.Place(t.Context(), order(id))
			if err != nil || o.Receipt == "" {
				t.Fatalf("receipt %q, %v", o.Receipt, err)
			}
			c := g.Counts()
			if c.Charged != 1 || c.Held != 1 || c.Requests < 2 || c.Faults != c.Requests-1 || s.PaymentCounts().Repeated != int64(c.Faults) {
				t.Errorf("%+v, %+v", c, s.PaymentCounts())
			}
		})
	}
}

func TestGatewayWithoutAnAnswerIsAskedAgain(t *testing.T) {
	g := gatewayOf(t, 1)
	id := orderWith(t, g.faults, func(first, _ fault) bool { return first == hangs })
	soon := hurry
	soon.answer = 200 * time.Millisecond
	s := withGateway(t, g, soon)
	if _, err := s.Place(t.Context(), order(id)); err != nil {
		t.Fatal(err)
	}
	if c := g.Counts(); c.Charged != 1 || c.Requests < 2 {
		t.Errorf("%+v", c)
	}
}

func TestDeclinedCardIsAskedAboutOnce(t *testing.T) {
	g := gatewayOf(t, 1)
	s := withGateway(t, g, hurry)
	id := orderWith(t, g.faults, func(_, always fault) bool { return always == unavailable }) // even so
	o := order(id)
	o.Card = "400000000000" + declinedSuffix
	_, err := s.Place(t.Context(), o)
	if _, ok := errors.AsType[*DeclinedError](err); !ok {
		t.Fatalf("got %v", err)
	}
	if c := g.Counts(); c.Requests != 1 || c.Declined != 1 || c.Charged != 0 {
		t.Errorf("%+v", c)
	}
	if c := s.PaymentCounts(); c != (PaymentCounts{}) {
		t.Errorf("a decline is no trouble: %+v", c)
	}
	if got := s.Stock.Level("85123A"); got != 1000 {
		t.Errorf("%d on the shelf, want 1000", got)
	}
}

func TestHopelessPaymentIsGivenUpAndSettled(t *testing.T) {
	g := gatewayOf(t, 1)
	id := orderWith(t, g.faults, func(_, always fault) bool { return always == unavailable })
	s := withGateway(t, g, hurry)
	_, err := s.Place(t.Context(), order(id))
	var gave *resilience.RetryError
	if !errors.Is(err, ErrPaymentUnavailable) || !errors.As(err, &gave) || gave.Attempts < 5 || gave.Attempts > chargeAttempts { // some are refused by the circuit
		t.Fatalf("got %v", err)
	}
	closed(t, s)
	if all := g.Counts().Requests; all <= gave.Attempts {
		t.Errorf("%d requests, calling off included, of which %d attempts", all, gave.Attempts)
	}
	c := s.PaymentCounts()
	if c.Dead != 1 || c.Settled != 1 || c.Opened == 0 || s.Journal.Count("payment.settled") != 1 {
		t.Errorf("%+v; want one dead letter, settled, and a circuit that opened", c)
	}
	if got := s.Stock.Level("85123A"); got != 1000 {
		t.Errorf("%d on the shelf, want 1000", got)
	}
}

// A charge of which nobody knows whether it was made is called off, and one that arrives
// after that is not made.
func TestChargeWithoutAnAnswerIsCalledOff(t *testing.T) {
	g := gatewayOf(t, 0)
	var lost atomic.Bool
	lost.Store(true)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && lost.Load() {
			g.server.Handler.ServeHTTP(httptest.NewRecorder(), r)
			http.Error(w, "the answer got lost", http.StatusBadGateway)
			return
		}
		g.server.Handler.ServeHTTP(w, r)
	}))
	defer front.Close()
	s := opened(t, func(c *Config) { c.Gateway, c.patience = front.URL, hurry })
	if _, err := s.Place(t.Context(), order("1")); !errors.Is(err, ErrPaymentUnavailable) {
		t.Fatalf("got %v", err)
	}
	closed(t, s)
	if c := g.Counts(); c.Charged != 1 || c.Held != 0 || !g.Balance().IsZero() {
		t.Errorf("%+v, %v held", c, g.Balance())
	}
	lost.Store(false)
	late := newGatewayClient(front.URL, hurry, signals.New[letter](), signals.New[resilience.StateChange]())
	defer late.close()
	_, err := late.Charge(t.Context(), Charge{Order: "1", Card: "4242424242424242", Amount: Units(5)})
	var answer *gatewayError
	if !errors.As(err, &answer) || answer.status != http.StatusConflict || late.repeated.Load() != 0 || !g.Balance().IsZero() {
		t.Errorf("a late charge: %v, %d repeated, %v held", err, late.repeated.Load(), g.Balance())
	}
}

func TestCustomerWhoHangsUpAtTheGatewayIsNotCharged(t *testing.T) {
	g := gatewayOf(t, 0)
	ctx, hangUp := context.WithCancel(t.Context())
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.server.Handler.ServeHTTP(w, r)
		if r.Method == http.MethodPost {
			hangUp() // charged, and before the answer is there
			<-r.Context().Done()
		}
	}))
	defer front.Close()
	s := opened(t, func(c *Config) { c.Gateway, c.patience = front.URL, hurry })
	if _, err := s.Place(ctx, order("1")); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	closed(t, s)
	if c := g.Counts(); c.Charged != 1 || c.Held != 0 || s.Orders() != 0 || s.Stock.Level("85123A") != 1000 {
		t.Errorf("%+v, %d orders, %d on the shelf", c, s.Orders(), s.Stock.Level("85123A"))
	}
}

// The schedule goes by seed and order: what happens to which order is the same
// in every run, at any speed.
func TestSameSeedSameTrouble(t *testing.T) {
	const orders = 500
	soon := hurry
	soon.answer = 250 * time.Millisecond
	run := func(seed uint64) (hopeless []string) {
		g := gatewayOf(t, seed)
		s := withGateway(t, g, soon)
		gen := NewGenerator(1)
		for n := 0; n < orders; {
			a := gen.Next(time.Time{})
			if a.Order == nil {
				if _, err := s.Cancel(t.Context(), a.Cancel); err != nil && !expected(err) {
					t.Fatal(err)
				}
				continue
			}
			n++
			switch _, err := s.Place(t.Context(), *a.Order); {
			case errors.Is(err, ErrPaymentUnavailable):
				hopeless = append(hopeless, a.Order.ID)
				if !g.faults.hopeless(a.Order.ID) {
					t.Errorf("%s was given up: %v", a.Order.ID, err)
				}
			case err != nil:
				t.Fatal(err)
			case g.faults.hopeless(a.Order.ID):
				t.Errorf("%s was charged", a.Order.ID)
			}
		}
		return hopeless
	}
	first := run(1)
	if again := run(1); len(first) == 0 || !slices.Equal(first, again) {
		t.Errorf("given up: %v, then %v", first, again)
	}
	if other := run(2); slices.Equal(first, other) {
		t.Errorf("another seed gives the same trouble: %v", other)
	}
}

// hangUpAtRefund is a customer who goes away while the money comes back.
type hangUpAtRefund struct {
	TestBank
	cancel context.CancelFunc
}

func (h *hangUpAtRefund) Refund(ctx context.Context, r Refund) error {
	h.cancel()
	return h.TestBank.Refund(ctx, r)
}

func TestCancellationOnceBegunIsFinished(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	bank := &hangUpAtRefund{cancel: cancel}
	s := opened(t, func(c *Config) { c.Payment = bank })
	if _, err := s.Place(t.Context(), order("1")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cancel(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Ledger.Find(t.Context(), "1"); err != nil || !e.Cancelled || !bank.Balance().IsZero() || s.Stock.Level("85123A") != 1000 {
		t.Errorf("%+v, %v, %v in the bank, %d on the shelf", e, err, bank.Balance(), s.Stock.Level("85123A"))
	}
}
