package embedded

import (
	"fmt"
	"log/slog"
)

// logger is a server.Logger.
type logger struct {
	log   *slog.Logger
	quiet bool // errors only
	fatal chan string
}

func newLogger(c *config) *logger {
	if c.log == nil {
		return &logger{slog.Default(), true, make(chan string, 1)}
	}
	return &logger{c.log, false, make(chan string, 1)}
}

func (l *logger) Noticef(format string, v ...any) {
	if !l.quiet {
		l.log.Info("nats-server: " + fmt.Sprintf(format, v...))
	}
}

func (l *logger) Warnf(format string, v ...any) {
	if !l.quiet {
		l.log.Warn("nats-server: " + fmt.Sprintf(format, v...))
	}
}

func (l *logger) Errorf(format string, v ...any) {
	l.log.Error("nats-server: " + fmt.Sprintf(format, v...))
}

// Fatalf does not end the process: the server is a guest in it. Start gets the first
// of these, and need not wait for connections that will never be taken.
func (l *logger) Fatalf(format string, v ...any) {
	l.Errorf(format, v...)
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}

func (l *logger) Debugf(string, ...any) {}
func (l *logger) Tracef(string, ...any) {}
