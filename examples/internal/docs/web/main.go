// Web is the program of the recipes in docs/getting_started.md: orders over
// HTTP, events to browsers, and an end in good order.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"example.com/signals"
)

type Order struct {
	ID   int    `json:"id"`
	Item string `json:"item"`
}

// Problem is what is wrong with an order, in words for those who sent it.
type Problem struct{ Text string }

func (p *Problem) Error() string { return p.Text }

var errClosed = errors.New("closed")

// Service takes orders.
type Service struct {
	bus      *signals.Bus
	placed   *signals.SyncSignal[Order]  // the chain
	accepted *signals.AsyncSignal[Order] // for whoever wants to know

	mu     sync.Mutex
	closed bool           // under mu
	inside sync.WaitGroup // of calls of Place; Add only under mu, while not closed

	streams    context.Context // of the open event streams
	endStreams context.CancelFunc
}

func NewService() *Service {
	s := &Service{bus: signals.NewBus()}
	s.streams, s.endStreams = context.WithCancel(context.Background())
	s.placed = signals.SyncTopic[Order](s.bus, "order.placed")
	s.placed.Subscribe(validate, signals.Key("validate"))
	s.accepted = signals.Topic[Order](s.bus, "order.accepted", signals.Retain(20)) // a page that opens begins with the last ones
	s.accepted.Subscribe(ship, signals.Key("shipping"))
	return s
}

func validate(_ context.Context, o Order) error {
	switch o.Item {
	case "":
		return signals.Veto(&Problem{"the order is for nothing"}) // an answer, and no failure of the service
	case "lava":
		return errors.New("warehouse 7 at 10.0.0.3 is on fire")
	}
	return nil
}

func ship(_ context.Context, o Order) error {
	log.Println("shipped", o.Item)
	return nil
}

// Place runs the chain and tells the others. It is the only way in, and can be closed.
func (s *Service) Place(ctx context.Context, o Order) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed
	}
	s.inside.Add(1)
	s.mu.Unlock()
	defer s.inside.Done()
	if err := s.placed.TryEmit(ctx, o); err != nil {
		return err
	}
	s.accepted.Emit(ctx, o)
	return nil
}

// closeGate refuses orders from now on and waits for those under way.
func (s *Service) closeGate(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	empty := make(chan struct{})
	go func() { s.inside.Wait(); close(empty) }()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("orders are still under way: %w", ctx.Err())
	}
}

// region cause

func (s *Service) postOrder(w http.ResponseWriter, r *http.Request) {
	var order Order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&order); err != nil {
		http.Error(w, "want an order as JSON", http.StatusBadRequest)
		return
	}
	err := s.Place(r.Context(), order)
	problem, known := errors.AsType[*Problem](err) // through the chain's *ListenerError
	switch {
	case err == nil:
		w.WriteHeader(http.StatusCreated)
	case known: // made for clients: its own text, not err's
		http.Error(w, problem.Text, http.StatusUnprocessableEntity)
	case errors.Is(err, errClosed):
		http.Error(w, "try again later", http.StatusServiceUnavailable)
	default: // names of listeners and machines are for the log
		slog.ErrorContext(r.Context(), "order failed", "order", order.ID, "err", err)
		http.Error(w, "the order could not be taken", http.StatusInternalServerError)
	}
}

// endregion

// region sse

func (s *Service) getEvents(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context()) // ends when the client leaves,
	defer cancel()
	defer context.AfterFunc(s.streams, cancel)() // and when the server does

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold them back
	client := http.NewResponseController(w)
	if client.Flush() != nil {
		return
	}
	// A client that reads too slowly loses the oldest; it delays nobody else.
	for order := range s.accepted.Events(ctx, signals.MaxLag(100, signals.DropOldest)) {
		data, err := json.Marshal(order)
		if err != nil {
			slog.ErrorContext(ctx, "event", "err", err)
			continue
		}
		_ = client.SetWriteDeadline(time.Now().Add(10 * time.Second)) // one that does not read at all
		if _, err := fmt.Fprintf(w, "event: accepted\ndata: %s\n\n", data); err != nil || client.Flush() != nil {
			return
		}
	}
}

// endregion

func (s *Service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.postOrder)
	mux.HandleFunc("GET /events", s.getEvents)
	return http.NewCrossOriginProtection().Handler(mux)
}

// region shutdown

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends a program that hangs
	l, err := net.Listen("tcp", "127.0.0.1:8080")
	if err == nil {
		err = run(ctx, l, NewService())
	}
	if err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, and then closes from the outside in.
func run(ctx context.Context, l net.Listener, s *Service) error {
	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	server.RegisterOnShutdown(s.endStreams) // Shutdown would wait for them for ever
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}

	// A context of its own: ctx has ended and would leave no time.
	within, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	return errors.Join(err,
		server.Shutdown(within), // no more requests; those under way are answered
		s.closeGate(within),     // no more orders, also from elsewhere
		s.bus.Close(within))     // what was accepted is delivered; else it says what is left
}

// endregion
