package shop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/signals"
)

// opened is a shop that the test closes and that must agree with itself then.
func opened(t testing.TB, change func(*Config)) *Shop {
	t.Helper()
	cfg := Config{
		Stock:  FullShelves(1000),
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
		Notice: func(text string) { t.Log(text) },
	}
	if change != nil {
		change(&cfg)
	}
	s := New(cfg)
	t.Cleanup(func() { closed(t, s) })
	return s
}

// closed closes a shop and fails the test if anything was lost.
func closed(t testing.TB, s *Shop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if diff := s.Reconcile(); len(diff) > 0 {
		t.Errorf("lost:\n%s", strings.Join(diff, "\n"))
	}
}

// order is one that succeeds.
func order(id string, lines ...Line) Order {
	if lines == nil {
		lines = []Line{CatalogLine("85123A", 2)}
	}
	return Order{ID: id, Customer: "12346", Country: "France", Card: "4242424242424242", Lines: lines}
}

// failingLedger cannot record.
type failingLedger struct {
	*MemoryLedger
	err error
}

func (l failingLedger) Record(context.Context, Order) error { return l.err }

func TestAcceptedOrderReachesEveryDepartment(t *testing.T) {
	bank := &TestBank{}
	s := opened(t, func(c *Config) { c.Payment = bank })
	o, err := s.Place(t.Context(), order("1"))
	if err != nil {
		t.Fatal(err)
	}
	if o.Receipt == "" || o.Card != "" {
		t.Errorf("receipt %q, card %q: want a receipt, and no card behind the chain", o.Receipt, o.Card)
	}
	if got := s.Stock.Level("85123A"); got != 998 {
		t.Errorf("%d on the shelf, want 998", got)
	}
	if !bank.Balance().Equal(money(t, "5.10")) {
		t.Errorf("the bank has %v, want 5.10", bank.Balance())
	}
	closed(t, s)
	for _, h := range s.HandledBy() {
		if h.Orders != 1 || h.Cancellations != 0 {
			t.Errorf("%+v", h)
		}
	}
	want := []AuditEntry{{"order.accepted", "1", "R-1"}}
	if got := s.Journal.Newest(); !slices.Equal(got, want) {
		t.Errorf("journal: %v, want %v", got, want)
	}
}

func TestFailedChainLeavesNothingBehind(t *testing.T) {
	full := errors.New("the disk is full")
	for _, c := range []struct {
		name  string
		order Order
		setup func(*Config)
		is    func(error) bool
		step  string
	}{
		{
			"validation", order("1", CatalogLine("85123A", 0)), nil,
			func(err error) bool {
				var f *FieldError
				return errors.As(err, &f) && f.Field == "lines[0].quantity"
			}, "validate",
		},
		{
			"out of stock", order("1", CatalogLine("85123A", 600), CatalogLine("85123A", 600)), nil,
			func(err error) bool {
				var o *OutOfStockError
				return errors.As(err, &o) && o.Code == "85123A"
			}, "stock",
		},
		{
			"declined payment", func() Order { o := order("1"); o.Card = "4000000000000002"; return o }(), nil,
			func(err error) bool {
				var d *DeclinedError
				return errors.As(err, &d) && d.Amount.Equal(money(t, "5.1"))
			}, "payment",
		},
		{
			"ledger", order("1"), func(c *Config) { c.Ledger = failingLedger{NewMemoryLedger(1), full} },
			func(err error) bool { return errors.Is(err, full) }, "record",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			bank := &TestBank{}
			s := opened(t, func(cfg *Config) {
				cfg.Payment = bank
				if c.setup != nil {
					c.setup(cfg)
				}
			})
			_, err := s.Place(t.Context(), c.order)
			if err == nil || !c.is(err) {
				t.Fatalf("got %v", err)
			}
			// What a customer is told is no failure of the shop.
			answer := c.name != "ledger"
			st := s.Signals.Placed.Stats()
			if signals.IsVeto(err) != answer || (st.Vetoes == 1) != answer || (st.Failures == 0) != answer {
				t.Errorf("%v is a veto: %v; %d vetoes, %d failures", err, signals.IsVeto(err), st.Vetoes, st.Failures)
			}
			var listener *signals.ListenerError
			if !errors.As(err, &listener) || listener.Key != c.step || listener.Signal != "order.placed" {
				t.Errorf("%v does not name step %q of order.placed", err, c.step)
			}
			if got := s.Stock.Level("85123A"); got != 1000 {
				t.Errorf("%d on the shelf, want 1000 as before", got)
			}
			if !bank.Balance().IsZero() {
				t.Errorf("the bank keeps %v", bank.Balance())
			}
			if _, err := s.Ledger.Find(t.Context(), "1"); !errors.Is(err, ErrUnknownOrder) {
				t.Errorf("the ledger has it: %v", err)
			}
			closed(t, s)
			if n := s.HandledBy()[0].Orders; n != 0 || s.Refused() != 1 {
				t.Errorf("%d orders reached the departments, %d refused", n, s.Refused())
			}
		})
	}
}

// hangUp is a customer who goes away while the bank is asked.
type hangUp struct {
	TestBank
	cancel context.CancelFunc
}

func (h *hangUp) Charge(ctx context.Context, c Charge) (string, error) {
	h.cancel()
	return h.TestBank.Charge(ctx, c)
}

func (h *hangUp) Refund(ctx context.Context, r Refund) error {
	if ctx.Err() != nil {
		return ctx.Err() // as a gateway would, if it were given the request's context
	}
	return h.TestBank.Refund(ctx, r)
}

func TestCustomerWhoHangsUpGetsTheMoneyBack(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	bank := &hangUp{cancel: cancel}
	s := opened(t, func(c *Config) { c.Payment = bank })
	if _, err := s.Place(ctx, order("1")); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the context's error", err)
	}
	if !bank.Balance().IsZero() || s.Stock.Level("85123A") != 1000 {
		t.Errorf("the bank has %v, the shelf %d", bank.Balance(), s.Stock.Level("85123A"))
	}
}

func TestAdjustmentsAreRecordedOnly(t *testing.T) {
	bank := &TestBank{}
	s := opened(t, func(c *Config) { c.Payment, c.Stock, c.Ledger = bank, EndlessStock(), NoLedger{} })
	o := Order{ID: "536365", Source: FromFile, Country: "EIRE", Lines: []Line{
		{Code: "a", Quantity: 3, Price: money(t, "2")},
		{Code: "b", Quantity: 5},                         // a give-away
		{Code: "c", Quantity: -30},                       // thrown away
		{Code: "d", Quantity: 1, Price: money(t, "-11")}, // bad debt
		{Code: "e", Quantity: 1, Price: money(t, "1")},
	}}
	if _, err := s.Place(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if !bank.Balance().Equal(money(t, "7")) {
		t.Errorf("paid %v, want 7 for the two lines of goods", bank.Balance())
	}
	for code, want := range map[string]int64{"a": -3, "b": 0, "c": 0, "d": 0, "e": -1} {
		if got := s.Stock.Level(code); got != want {
			t.Errorf("%d of %s moved, want %d", got, code, want)
		}
	}
	totals := s.Books.Totals()
	if totals.Lines != 5 || totals.Unpriced != 3 || totals.Quantity != -20 || !totals.Revenue.Equal(money(t, "-4")) {
		t.Errorf("books: %+v", totals)
	}
}

func TestCancellationIsPaidBackOnce(t *testing.T) {
	bank := &TestBank{}
	s := opened(t, func(c *Config) { c.Payment = bank })
	if _, err := s.Place(t.Context(), order("1")); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		wg.Go(func() {
			_, err := s.Cancel(t.Context(), "1")
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	won := 0
	for err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrAlreadyCancelled) {
			t.Error(err)
		}
	}
	if won != 1 || !bank.Balance().IsZero() || s.Stock.Level("85123A") != 1000 {
		t.Errorf("%d cancellations, %v in the bank, %d on the shelf", won, bank.Balance(), s.Stock.Level("85123A"))
	}
	if _, err := s.Cancel(t.Context(), "2"); !errors.Is(err, ErrUnknownOrder) {
		t.Errorf("an order that never was: %v", err)
	}
	totals := s.Books.Totals()
	if totals.Invoices != 2 || totals.Cancellations != 1 || !totals.Revenue.IsZero() || totals.Quantity != 0 {
		t.Errorf("books: %+v", totals)
	}
}

// noRefunds is a bank that pays nothing back.
type noRefunds struct{ TestBank }

func (*noRefunds) Refund(context.Context, Refund) error { return errors.New("come back tomorrow") }

func TestFailedCancellationLeavesTheOrderOpen(t *testing.T) {
	s := opened(t, func(c *Config) { c.Payment = &noRefunds{} })
	if _, err := s.Place(t.Context(), order("1")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cancel(t.Context(), "1"); err == nil {
		t.Fatal("cancelled without a refund")
	}
	if e, err := s.Ledger.Find(t.Context(), "1"); err != nil || e.Cancelled {
		t.Errorf("%+v, %v: want the order open", e, err)
	}
	if got := s.Stock.Level("85123A"); got != 998 {
		t.Errorf("%d on the shelf, want 998", got)
	}
}

func TestSecondOrderWithANumberIsUndone(t *testing.T) {
	s := opened(t, nil)
	if _, err := s.Place(t.Context(), order("1")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Place(t.Context(), order("1")); !errors.Is(err, ErrDuplicateOrder) {
		t.Fatalf("got %v", err)
	}
	if got := s.Stock.Level("85123A"); got != 998 {
		t.Errorf("%d on the shelf, want 998", got)
	}
}

func TestClosedShopRefuses(t *testing.T) {
	s := opened(t, nil)
	closed(t, s)
	if _, err := s.Place(t.Context(), order("1")); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if got := s.Stock.Level("85123A"); got != 1000 {
		t.Errorf("%d on the shelf, want 1000", got)
	}
	closed(t, s) // again: closing is idempotent
}

// slowBank takes its time, until it is told to go on.
type slowBank struct {
	TestBank
	asked, answer chan struct{}
}

func (b *slowBank) Charge(ctx context.Context, c Charge) (string, error) {
	close(b.asked)
	<-b.answer
	return b.TestBank.Charge(ctx, c)
}

func TestClosingWaitsForOrdersUnderWay(t *testing.T) {
	bank := &slowBank{asked: make(chan struct{}), answer: make(chan struct{})}
	s := opened(t, func(c *Config) { c.Payment = bank })
	placed := make(chan error, 1)
	go func() {
		_, err := s.Place(context.Background(), order("1"))
		placed <- err
	}()
	<-bank.asked

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.door.close(ended); !errors.Is(err, context.Canceled) {
		t.Fatalf("the door closed behind nobody: %v", err)
	}
	if _, err := s.Place(t.Context(), order("2")); !errors.Is(err, ErrClosed) {
		t.Errorf("a second customer came in: %v", err)
	}
	close(bank.answer)
	closed(t, s)
	if err := <-placed; err != nil {
		t.Errorf("the order under way: %v", err)
	}
	if s.HandledBy()[0].Orders != 1 {
		t.Error("the departments never heard of it")
	}
}

func TestNewCustomersAreAnnouncedOnce(t *testing.T) {
	s := opened(t, nil)
	for i, customer := range []string{"a", "b", "a", "", "", "b"} {
		o := order(fmt.Sprint(i))
		o.Customer = customer
		if _, err := s.Place(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, s)
	if n := s.Analytics.registeredCount(); n != 2 {
		t.Errorf("%d customers registered, want 2", n)
	}
}

func TestSupplierFillsShelves(t *testing.T) {
	s := opened(t, func(c *Config) { c.Stock, c.Restock = FullShelves(60), 100 })
	if _, err := s.Place(t.Context(), order("1", CatalogLine("85123A", 30))); err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	if got := s.Stock.Level("85123A"); got != 130 {
		t.Errorf("%d on the shelf, want 30 left and 100 delivered", got)
	}
	if s.Journal.Count("stock.delivered") != 1 {
		t.Errorf("journal: %v", s.Journal.Newest())
	}
}

func TestFailuresOfListenersEndOnTheErrorsSignal(t *testing.T) {
	notices := make(chan string, 1)
	s := opened(t, func(c *Config) { c.Notice = func(text string) { notices <- text } })
	s.Signals.Metrics.Subscribe(func(context.Context, Metric) error { return errors.New("no space for numbers") },
		signals.Key("broken"))
	s.Signals.Metrics.Emit(t.Context(), Metric{"x", 1})
	closed(t, s)
	if got := <-notices; !strings.Contains(got, `"broken" of "metrics"`) || !strings.Contains(got, "no space for numbers") {
		t.Errorf("notice: %s", got)
	}
}

func TestConcurrentCustomersLoseNothing(t *testing.T) {
	bank := &TestBank{}
	s := opened(t, func(c *Config) { c.Payment, c.Stock = bank, FullShelves(10_000) })
	const customers, each = 8, 100
	var wg sync.WaitGroup
	for c := range customers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%d-%d", c, i)
				if _, err := s.Place(t.Context(), order(id)); err != nil {
					t.Error(err)
				}
				if i%4 == 0 {
					if _, err := s.Cancel(t.Context(), id); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	closed(t, s)
	if s.Orders() != customers*each || s.Cancellations() != customers*each/4 {
		t.Errorf("%d orders, %d cancellations", s.Orders(), s.Cancellations())
	}
	if !bank.Balance().Equal(s.Books.Totals().Revenue) {
		t.Errorf("the bank has %v, the books %v", bank.Balance(), s.Books.Totals().Revenue)
	}
}

func TestReconcileSeesALoss(t *testing.T) {
	s := New(Config{Stock: FullShelves(10)})
	if _, err := s.Place(t.Context(), order("1")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Shipping.parcels--
	s.Books.totals.Lines++
	if diff := s.Reconcile(); len(diff) != 2 {
		t.Errorf("a lost parcel and a lost line are reported as %q", diff)
	}
}
