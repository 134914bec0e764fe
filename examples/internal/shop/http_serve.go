package shop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// unusedGrace is how long a connection without a request may stay open while
// the server stops.
const unusedGrace = 200 * time.Millisecond

// Serve answers on l until stop is called. Stop takes no more requests and
// returns when those under way are answered, or drops them when ctx ends.
func (a *API) Serve(l net.Listener) (stop func(ctx context.Context) error) {
	unused := unusedConns{open: map[net.Conn]struct{}{}}
	server := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnState:         unused.track,
	}
	server.RegisterOnShutdown(a.insp.Close) // Shutdown would wait for the pages that are open
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	return func(ctx context.Context) error {
		timer := time.AfterFunc(unusedGrace, unused.close)
		defer timer.Stop()
		if err := server.Shutdown(ctx); err != nil {
			server.Close()
			return fmt.Errorf("requests under way were dropped: %w", err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}

// unusedConns are connections that have not brought a request yet. Clients open
// such ones to have them ready, and Shutdown waits five seconds for each.
type unusedConns struct {
	mu   sync.Mutex
	open map[net.Conn]struct{} // guarded by mu
}

// track is the server's ConnState.
func (u *unusedConns) track(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state == http.StateNew {
		u.open[c] = struct{}{}
	} else {
		delete(u.open, c)
	}
}

func (u *unusedConns) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.open {
		c.Close()
	}
}
