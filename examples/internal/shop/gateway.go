package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Gateway is a payment gateway behind HTTP, as far as a shop sees of one, on
// an address of this machine. It is idempotent: asked twice it charges once,
// and what was called off stays so. And it fails by a schedule, as real ones do
// without.
//
//	POST /charges           201 with a receipt, or 402 if the card is declined
//	DELETE /charges/{order}  204: whatever was charged for the order is paid back
type Gateway struct {
	faults faults
	addr   net.Addr
	server *http.Server
	served chan struct{}

	mu      sync.Mutex
	bank    TestBank
	charges map[string]*charged // by order; guarded by mu
	tries   map[string]int      // requests so far, by method and order; guarded by mu
	counts  GatewayCounts       // guarded by mu
}

// charged is what the gateway knows of one order.
type charged struct {
	receipt string
	amount  Money
	off     bool // paid back, or called off before it was charged
}

// GatewayCounts are what a gateway has done.
type GatewayCounts struct {
	Requests int
	Faults   int // requests that failed by the schedule
	Charged  int // orders
	Declined int // answers
	Returned int // orders whose charge was paid back
	Held     int // orders that are charged and not paid back
}

// OpenGateway starts a gateway whose faults the seed decides; 0: none.
func OpenGateway(seed uint64) (*Gateway, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		faults: faults{seed}, addr: l.Addr(), served: make(chan struct{}),
		charges: map[string]*charged{}, tries: map[string]int{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /charges", g.charge)
	mux.HandleFunc("DELETE /charges/{order}", g.callOff)
	g.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(g.served)
		_ = g.server.Serve(l) // ends by Close
	}()
	return g, nil
}

// URL is where the gateway is.
func (g *Gateway) URL() string { return "http://" + g.addr.String() }

// Close ends the gateway.
func (g *Gateway) Close() error {
	err := g.server.Close()
	<-g.served
	return err
}

// Balance is what was charged and not paid back.
func (g *Gateway) Balance() Money { return g.bank.Balance() }

// Counts are the figures so far.
func (g *Gateway) Counts() GatewayCounts {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.counts
	c.Held = c.Charged - c.Returned
	return c
}

// What goes over the wire.
type (
	chargeRequest struct {
		Order  string `json:"order"`
		Card   string `json:"card"`
		Amount Money  `json:"amount"`
	}
	chargeReply struct {
		Receipt string `json:"receipt,omitempty"`
		Reason  string `json:"reason,omitempty"` // of a decline
	}
)

func (g *Gateway) charge(w http.ResponseWriter, r *http.Request) {
	var req chargeRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil || req.Order == "" {
		http.Error(w, "want a charge as JSON", http.StatusBadRequest)
		return
	}
	declined := strings.HasSuffix(req.Card, declinedSuffix)
	fault := none
	if !declined { // cards are looked at before anything that may fail
		fault = g.next(r.Method, req.Order)
	}
	switch fault {
	case unavailable:
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	case hangs:
		_, _ = g.take(r.Context(), req) // nobody gets the answer
		<-r.Context().Done()            // until the client has had enough
		return
	case answerLost:
		_, _ = g.take(r.Context(), req)
		panic(http.ErrAbortHandler) // the connection breaks
	}
	receipt, err := g.take(r.Context(), req)
	switch err := err.(type) { //nolint:errorlint // TestBank's own errors, unwrapped
	case nil:
		reply(w, http.StatusCreated, chargeReply{Receipt: receipt})
	case *DeclinedError:
		reply(w, http.StatusPaymentRequired, chargeReply{Reason: err.Reason})
	default:
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

// take charges an order once, however often it is asked.
func (g *Gateway) take(ctx context.Context, req chargeRequest) (receipt string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.charges[req.Order]; c != nil {
		if c.off {
			return "", fmt.Errorf("order %s was called off", req.Order)
		}
		return c.receipt, nil
	}
	receipt, err = g.bank.Charge(ctx, Charge(req))
	if err != nil {
		g.counts.Requests++
		g.counts.Declined++
		return "", err
	}
	g.charges[req.Order] = &charged{receipt: receipt, amount: req.Amount}
	g.counts.Charged++
	return receipt, nil
}

func (g *Gateway) callOff(w http.ResponseWriter, r *http.Request) {
	order := r.PathValue("order")
	fault := g.next(r.Method, order)
	if fault == unavailable {
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	}
	g.giveBack(r.Context(), order)
	if fault == answerLost {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (g *Gateway) giveBack(ctx context.Context, order string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.charges[order]
	switch {
	case c == nil:
		g.charges[order] = &charged{off: true} // a charge that comes late finds this
	case !c.off:
		c.off = true
		g.counts.Returned++
		_ = g.bank.Refund(ctx, Refund{Order: order, Receipt: c.receipt, Amount: c.amount}) // never fails
	}
}

// next counts a request and says how it shall fail.
func (g *Gateway) next(method, order string) fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts.Requests++
	key := method + " " + order
	g.tries[key]++
	f := g.faults.of(method, order, g.tries[key])
	if f != none {
		g.counts.Faults++
	}
	return f
}
