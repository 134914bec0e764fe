package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// retry calls fn, which reads or has at most begun something, again if its
// connection turned out to be lost: a pool hands out such ones after the server
// was restarted, each once. That there is no connection to be had is final.
func (db *DB) retry(ctx context.Context, fn func() error) error {
	for left := db.conns; ; left-- {
		err := fn()
		if !lost(err) || left == 0 || ctx.Err() != nil {
			return err
		}
	}
}

// lost reports whether an error is about a connection that had been made.
func lost(err error) bool {
	if err == nil {
		return false
	}
	if _, never := errors.AsType[*pgconn.ConnectError](err); never {
		return false
	}
	if e, said := errors.AsType[*pgconn.PgError](err); said {
		return fatal(e)
	}
	for _, is := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, is) {
			return true
		}
	}
	return pgconn.SafeToRetry(err)
}

// refused reports whether the server has said that a statement, and so its
// transaction, has failed; anything else leaves the outcome open. A server that
// ends the connection may do so after the commit.
func refused(err error) bool {
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return true
	}
	e, said := errors.AsType[*pgconn.PgError](err)
	return said && !fatal(e)
}

func fatal(e *pgconn.PgError) bool {
	return e.SeverityUnlocalized == "FATAL" || e.SeverityUnlocalized == "PANIC"
}
