package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Server is a NATS server in this process. Its methods may be called from any
// goroutine.
type Server struct {
	srv   *server.Server
	lock  *os.File
	close sync.Once
}

// Option changes how the server is run.
type Option func(*config)

type config struct {
	addr  string
	name  string
	log   *slog.Logger
	ready time.Duration
}

// Listen is the address on which other processes reach the server, such as
// "127.0.0.1:4222". The default is a free port of the loopback interface. There
// are no users and no passwords: whoever reaches the address may do anything.
func Listen(addr string) Option { return func(c *config) { c.addr = addr } }

// Name is the name of the server; the default is the name of its directory.
func Name(name string) Option { return func(c *config) { c.name = name } }

// Logger gets what the server logs. Without it the server logs nothing but
// errors, to slog.Default.
func Logger(l *slog.Logger) Option { return func(c *config) { c.log = l } }

// Start starts a server that stores in dir, which is made if it is not there,
// and returns when it takes connections. The same directory cannot be used by
// two servers at a time. JetStream recovers what is in dir first: that can take
// a while.
func Start(dir string, opts ...Option) (*Server, error) {
	c := &config{addr: "127.0.0.1:0", ready: time.Minute}
	for _, o := range opts {
		if o == nil {
			return nil, errors.New("embedded: an Option is nil; leave it out")
		}
		o(c)
	}
	if dir == "" {
		return nil, errors.New("embedded: no directory to store in; name one that stays")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	if c.name == "" {
		c.name = filepath.Base(dir)
	}
	host, port, err := splitAddr(c.addr)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("embedded: make the directory of the server: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	srv, err := start(c, dir, host, port)
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	return &Server{srv: srv, lock: lock}, nil
}

func start(c *config, dir, host string, port int) (*server.Server, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName: c.name, Host: host, Port: port, JetStream: true, StoreDir: dir,
		SyncAlways: true, SyncInterval: 2 * time.Minute, // what sync_interval: always sets
		NoSigs: true, DisableShortFirstPing: true,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	log := newLogger(c)
	srv.SetLoggerV2(log, false, false, false)
	srv.Start()
	if err := ready(srv, log, c.ready); err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("embedded: the server on %s with directory %s takes no connections: %w", c.addr, dir, err)
	}
	if !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("embedded: JetStream cannot use the directory %s; Logger tells why", dir)
	}
	return srv, nil
}

// ready returns when the server takes connections, or why it never will.
func ready(srv *server.Server, log *logger, within time.Duration) error {
	for began := time.Now(); ; {
		select {
		case text := <-log.fatal:
			return errors.New(text)
		default:
		}
		if srv.ReadyForConnections(50 * time.Millisecond) {
			return nil
		}
		if time.Since(began) > within {
			return fmt.Errorf("none after %v; Logger tells why", within)
		}
	}
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		return "", 0, fmt.Errorf("embedded: Listen(%q); want host:port, such as 127.0.0.1:4222: %w", addr, err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// URL is where other processes connect to.
func (s *Server) URL() string { return s.srv.ClientURL() }

// Connect connects from within the process, without a socket. The caller
// closes the connection, before the server.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect("", append([]nats.Option{nats.InProcessServer(s.srv)}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return nc, nil
}

// Close stops the server and returns when it has. What was acknowledged is on
// disk. It may be called again.
func (s *Server) Close() {
	s.close.Do(func() {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
		_ = s.lock.Close()
	})
}
