package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/signals"
)

const (
	loadClients = 16
	loadOrders  = 40 // of each
)

// customers are clients of the API, and what they were told.
type customers struct {
	url  string
	http *http.Client

	mu          sync.Mutex
	accepted    map[string]orderReply // guarded by mu, as all below
	cancelled   map[string]bool
	declined    int
	unavailable int
}

// order makes a number of orders, some with a card that is declined, and
// cancels some.
func (c *customers) order(t *testing.T, who int) {
	for i := range loadOrders {
		card := "4242424242424242"
		if i%8 == 5 {
			card = "400000000000" + declinedSuffix
		}
		var o orderReply
		status := c.call(t, http.MethodPost, "/orders", fmt.Sprintf(
			`{"customer":"c%d","country":"France","card":%q,"lines":[{"stock_code":%q,"quantity":%d},{"stock_code":"85123A","quantity":1}]}`,
			who, card, Catalog[i%len(Catalog)].Code, 1+i%3), &o)
		c.mu.Lock()
		switch status {
		case http.StatusCreated:
			c.accepted[o.ID] = o
		case http.StatusPaymentRequired:
			c.declined++
		case http.StatusBadGateway:
			c.unavailable++
		default:
			t.Errorf("POST /orders: %d", status)
		}
		c.mu.Unlock()
		if status != http.StatusCreated || i%4 != 0 {
			continue
		}
		id := o.ID
		if status := c.call(t, http.MethodDelete, "/orders/"+id, "", &o); status != http.StatusOK || o.Status != "cancelled" {
			t.Errorf("DELETE: %d %+v", status, o)
		}
		c.mu.Lock()
		c.cancelled[id] = true
		c.mu.Unlock()
	}
}

func (c *customers) call(t *testing.T, method, path, body string, into *orderReply) (status int) {
	req, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}

// unlucky fails by a schedule: every fifth call by an error, every fiftieth by a panic.
// The signal calls it once at a time, so that it needs no lock.
type unlucky struct{ calls, failed, panicked uint64 }

func (u *unlucky) onOrder(context.Context, Order) error {
	switch u.calls++; {
	case u.calls%50 == 0:
		u.panicked++
		panic("the fiftieth")
	case u.calls%5 == 0:
		u.failed++
		return errors.New("the fifth")
	}
	return nil
}

// troubledSeed makes several of the orders hopeless.
func troubledSeed() uint64 {
	for seed := uint64(1); ; seed++ {
		hopeless := 0
		for n := range loadClients * loadOrders {
			if (faults{seed}).hopeless(fmt.Sprintf("A%06d", n+1)) {
				hopeless++
			}
		}
		if hopeless >= 6 {
			return seed
		}
	}
}

// Many clients order over HTTP, from a shop that pays over HTTP at a gateway
// that fails at times, and a listener fails as well. Then everybody's figures
// are compared.
func TestEveryTotalAgreesUnderLoad(t *testing.T) {
	const pieces = 1_000_000
	g := gatewayOf(t, troubledSeed())
	soon := hurry
	soon.answer = time.Second
	s := opened(t, func(c *Config) {
		c.Gateway, c.patience, c.Stock = g.URL(), soon, FullShelves(pieces)
		c.Notice = func(string) {}
	})
	bad := &unlucky{}
	s.Signals.Accepted.Subscribe(bad.onOrder, signals.Key("unlucky"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := NewAPI(s).Serve(l)
	c := &customers{
		url: "http://" + l.Addr().String(), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: loadClients}},
		accepted: map[string]orderReply{}, cancelled: map[string]bool{},
	}
	defer c.http.CloseIdleConnections()
	var wg sync.WaitGroup
	for who := range loadClients {
		wg.Go(func() { c.order(t, who) })
	}
	wg.Wait()
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
	closed(t, s) // the departments and the books agree, and every dead letter is settled

	equal := func(what string, got, want int) {
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	accepted, cancelled := len(c.accepted), len(c.cancelled)
	equal("orders made", accepted+c.declined+c.unavailable, loadClients*loadOrders)
	equal("orders accepted", int(s.Accepted(FromAPI)), accepted)
	equal("orders refused", int(s.Refused()), c.declined+c.unavailable)
	equal("orders cancelled", int(s.Cancellations()), cancelled)
	for _, h := range s.HandledBy() {
		equal("orders handled by "+h.Department, int(h.Orders), accepted)
		equal("cancellations handled by "+h.Department, int(h.Cancellations), cancelled)
	}

	// Stock, money and ledger, from what the clients know.
	shelves, held := map[string]int64{}, Money{}
	for id, o := range c.accepted {
		e, err := s.Ledger.Find(t.Context(), id)
		if err != nil || e.Cancelled != c.cancelled[id] || !e.Order.Total().Equal(o.Total.Money) || e.Order.Receipt != o.Receipt {
			t.Errorf("the ledger has %+v, %v; the client %+v", e, err, o)
		}
		if c.cancelled[id] {
			continue
		}
		held = held.Add(o.Total.Money)
		for _, l := range o.Lines {
			shelves[l.StockCode] -= l.Quantity
		}
	}
	for _, p := range Catalog {
		equal("pieces of "+p.Code, int(s.Stock.Level(p.Code)), int(pieces+shelves[p.Code]))
	}
	if !g.Balance().Equal(held) || !s.Books.Totals().Revenue.Equal(held) {
		t.Errorf("the gateway holds %v, the books say %v, the clients paid %v", g.Balance(), s.Books.Totals().Revenue, held)
	}
	pays, paid := s.PaymentCounts(), g.Counts()
	equal("payments held", paid.Held, accepted-cancelled)
	equal("dead letters", int(pays.Dead), c.unavailable)
	if paid.Faults == 0 || pays.Repeated == 0 || pays.Dead == 0 || paid.Declined < c.declined {
		t.Errorf("%+v, %+v: want some of each", paid, pays)
	}

	// The failing listener has cost nobody anything, and every failure is known.
	equal("calls of the failing listener", int(bad.calls), accepted)
	st := s.Signals.Accepted.Stats()
	equal("failures", int(st.Failures), int(bad.failed+bad.panicked))
	equal("panics", int(st.Panics), int(bad.panicked))
	equal("failures told", int(s.Signals.Errors.Stats().Deliveries), int(bad.failed+bad.panicked))
	for _, st := range s.Signals.Stats() {
		equal("drops, refusals and pending of "+st.Name, int(st.Drops)+int(st.Refusals)+st.Pending, 0)
	}
	t.Logf("%d accepted, %d cancelled, %d declined, %d unavailable; %+v; %+v",
		accepted, cancelled, c.declined, c.unavailable, paid, pays)
}
