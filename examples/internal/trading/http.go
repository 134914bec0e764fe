package trading

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"example.com/signals/inspector"
)

// serve opens the inspector on an address, and returns where it is.
func serve(e *Engine, addr string) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		return "", nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	page := inspector.New(e.Signals.Bus, inspector.Title("Trading"))
	server := &http.Server{Handler: page, ReadHeaderTimeout: 5 * time.Second}
	server.RegisterOnShutdown(page.Close) // Shutdown would wait for the pages that are open
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // it ends with ErrServerClosed
	}()
	return "http://" + l.Addr().String() + "/", func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		<-done
	}, nil
}
