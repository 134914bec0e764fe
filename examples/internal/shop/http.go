package shop

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/signals/inspector"
)

// API is the shop over HTTP: POST /orders, GET and DELETE /orders/{id}, GET
// /stats; beside it the inspector of its signals and their metrics.
type API struct {
	shop   *Shop
	next   atomic.Int64 // number of the last order that came this way
	opened time.Time
	mux    *http.ServeMux
	guard  *guard
	insp   *inspector.Inspector
	desk   operatorDesk
}

// stuckAfter is when the inspector calls a listener stuck: later than the
// printer of the story needs.
const stuckAfter = 5 * time.Second

// NewAPI serves s to those who call it by an IP address, by localhost, or by
// one of the hosts.
func NewAPI(s *Shop, hosts ...string) *API { return newAPI(s, nil, hosts...) }

func newAPI(s *Shop, more []inspector.Option, hosts ...string) *API {
	a := &API{shop: s, opened: time.Now(), mux: http.NewServeMux(), guard: newGuard(hosts), desk: newOperatorDesk()}
	a.insp = inspector.New(s.Signals.Bus, append([]inspector.Option{
		inspector.Title("Gift shop"), inspector.StuckAfter(stuckAfter),
		// Not order.placed: those still have a card.
		inspector.Payloads(20, "order.accepted", "order.cancelled", "health.checked", "audit"),
		inspector.Authorize(a.desk.access),
	}, more...)...)
	a.mux.Handle("/signals/", http.StripPrefix("/signals", a.insp))
	a.mux.Handle("GET /{$}", http.RedirectHandler("/signals/", http.StatusFound))
	a.mux.HandleFunc("GET /operator", a.desk.enter)
	a.mux.HandleFunc("GET /metrics", a.getMetrics)
	a.mux.HandleFunc("POST /orders", a.postOrder)
	a.mux.HandleFunc("GET /orders/{id}", a.getOrder)
	a.mux.HandleFunc("DELETE /orders/{id}", a.deleteOrder)
	a.mux.HandleFunc("GET /stats", a.getStats)
	// The mux would answer these in plain text.
	for path, methods := range map[string]string{"/orders": "POST", "/orders/{id}": "GET, DELETE", "/stats": "GET"} {
		a.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", methods)
			reply(w, http.StatusMethodNotAllowed, apiError{Error: r.Method + " is not allowed here; use " + methods})
		})
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusNotFound, apiError{Error: "no such page; there are /orders, /orders/{id}, /stats, /metrics and /signals/"})
	})
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, problem := a.guard.check(r); problem != nil {
		reply(w, status, problem)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// What goes over the wire.
type (
	orderRequest struct {
		Customer string        `json:"customer"`
		Country  string        `json:"country"`
		Card     string        `json:"card"`
		Lines    []lineRequest `json:"lines"`
	}
	lineRequest struct {
		StockCode string `json:"stock_code"`
		Quantity  int64  `json:"quantity"`
	}
	orderReply struct {
		ID       string      `json:"id"`
		Status   string      `json:"status"` // accepted or cancelled
		Customer string      `json:"customer,omitempty"`
		Country  string      `json:"country"`
		Lines    []lineReply `json:"lines"`
		Total    amount      `json:"total"`
		Receipt  string      `json:"receipt"`
	}
	lineReply struct {
		StockCode   string `json:"stock_code"`
		Description string `json:"description"`
		Quantity    int64  `json:"quantity"`
		Price       amount `json:"price"`
	}
	apiError struct {
		Error string `json:"error"`
		Field string `json:"field,omitempty"`
	}
)

func (a *API) postOrder(w http.ResponseWriter, r *http.Request) {
	var req orderRequest
	if status, problem := decode(w, r, &req); problem != nil {
		reply(w, status, problem)
		return
	}
	o := Order{
		ID:       fmt.Sprintf("%sA%06d", a.shop.numbers, a.next.Add(1)),
		Source:   FromAPI,
		Customer: req.Customer,
		Country:  req.Country,
		Card:     req.Card,
		Time:     time.Now(),
	}
	for _, l := range req.Lines {
		o.Lines = append(o.Lines, CatalogLine(l.StockCode, l.Quantity))
	}
	// The request's context: a customer who hangs up before the chain is
	// through has not ordered, and the chain undoes what it has done.
	o, err := a.shop.Place(r.Context(), o)
	if err != nil {
		a.fail(w, err, &o)
		return
	}
	w.Header().Set("Location", "/orders/"+o.ID)
	reply(w, http.StatusCreated, newOrderReply(o, "accepted"))
}

func (a *API) getOrder(w http.ResponseWriter, r *http.Request) {
	e, err := a.shop.Ledger.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		a.fail(w, err, nil)
		return
	}
	status := "accepted"
	if e.Cancelled {
		status = "cancelled"
	}
	reply(w, http.StatusOK, newOrderReply(e.Order, status))
}

func (a *API) deleteOrder(w http.ResponseWriter, r *http.Request) {
	if _, err := a.shop.Cancel(r.Context(), r.PathValue("id")); err != nil {
		a.fail(w, err, nil)
		return
	}
	a.getOrder(w, r)
}

// fail says what went wrong in terms of the request. The client gets the text
// of the cause alone: that of the chain around it, with the names of steps and signals, is
// for the log.
func (a *API) fail(w http.ResponseWriter, err error, o *Order) {
	var (
		field    *FieldError
		stock    *OutOfStockError
		declined *DeclinedError
	)
	switch {
	case errors.As(err, &field):
		reply(w, http.StatusBadRequest, apiError{field.Error(), field.Field})
		return
	case errors.As(err, &stock):
		reply(w, http.StatusConflict, apiError{stock.Error(), lineOf(o, stock.Code)})
		return
	case errors.As(err, &declined):
		reply(w, http.StatusPaymentRequired, apiError{declined.Error(), "card"})
		return
	}
	for _, known := range []struct {
		err    error
		status int
		field  string
	}{
		{ErrUnknownOrder, http.StatusNotFound, "id"},
		{ErrAlreadyCancelled, http.StatusConflict, "id"},
		{ErrPaymentUnavailable, http.StatusBadGateway, ""},
		{ErrClosed, http.StatusServiceUnavailable, ""},
	} {
		if errors.Is(err, known.err) {
			reply(w, known.status, apiError{known.err.Error(), known.field})
			return
		}
	}
	a.shop.notice("request failed: %v", err)
	reply(w, http.StatusInternalServerError, apiError{Error: "the shop could not do this; it has been told why"})
}

// lineOf names the quantity of the last line with that stock code: the one
// that the shelf had too little for.
func lineOf(o *Order, code string) string {
	field := "lines"
	if o != nil {
		for i, l := range o.Lines {
			if l.Code == code {
				field = fmt.Sprintf("lines[%d].quantity", i)
			}
		}
	}
	return field
}

func newOrderReply(o Order, status string) orderReply {
	r := orderReply{
		ID: o.ID, Status: status, Customer: o.Customer, Country: o.Country, Total: amount{o.Total()}, Receipt: o.Receipt,
		Lines: make([]lineReply, len(o.Lines)),
	}
	for i, l := range o.Lines {
		r.Lines[i] = lineReply{l.Code, l.Description, l.Quantity, amount{l.Price}}
	}
	return r
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	// An error here means that the client has gone.
	_ = enc.Encode(body)
}
