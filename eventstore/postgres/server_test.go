package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// server is a PostgreSQL with a directory of its own, on a socket in it.
type server struct {
	dir     string
	disk    string // where the data is, if not in dir
	bin     string // where the programs are
	options []string
	uid     int // to run as, -1 for who we are
	gid     int

	process *os.Process
	ended   chan struct{} // closed when the process has
	log     *bytes.Buffer // complete when ended is closed
}

// newServer makes a database cluster. An error says what is missing.
func newServer(options ...string) (*server, error) { return newServerOn("", options...) }

// newServerOn makes one whose data is in that directory, and synced.
func newServerOn(disk string, options ...string) (*server, error) {
	s := &server{disk: disk, options: options, uid: -1}
	var err error
	if s.bin, err = programs(); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 { // PostgreSQL does not run as root
		if s.uid, s.gid, err = somebody(); err != nil {
			return nil, err
		}
	}
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil { // not t.TempDir: the path of a socket is short
		return nil, err
	}
	if s.uid >= 0 {
		if err := os.Chown(s.dir, s.uid, s.gid); err != nil {
			return nil, err
		}
	}
	args := []string{"-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"}
	if disk == "" {
		args = append(args, "--no-sync")
	} else if err := s.makeData(); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(s.bin, "initdb"), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, asUser(s.uid, s.gid)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.remove()
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s, nil
}

// programs returns the directory of PostgreSQL's programs.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		found = append(found, path)
	}
	for _, path := range found {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "postgres")); err == nil {
			return filepath.Dir(path), nil
		}
	}
	return "", errors.New("PostgreSQL's server is missing (Debian: apt-get install postgresql)")
}

// somebody returns a user who is not root.
func somebody() (uid, gid int, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ = strconv.Atoi(u.Uid)
			gid, _ = strconv.Atoi(u.Gid)
			return uid, gid, nil
		}
	}
	return 0, 0, errors.New("this is root, who may not run PostgreSQL, and there is no user postgres or nobody")
}

func (s *server) data() string {
	if s.disk != "" {
		return filepath.Join(s.disk, "data")
	}
	return filepath.Join(s.dir, "data")
}

// makeData makes the directory for the one who runs the server.
func (s *server) makeData() error {
	if err := os.Mkdir(s.data(), 0o700); err != nil || s.uid < 0 {
		return err
	}
	return os.Chown(s.data(), s.uid, s.gid)
}

func (s *server) dsn() string {
	return "host=" + s.dir + " user=postgres dbname=postgres"
}

// start starts the server and waits until it answers.
func (s *server) start() error {
	args := append([]string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=300", "-c", "max_wal_size=256MB"}, s.options...)
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), args...)
	s.log, s.ended = &bytes.Buffer{}, make(chan struct{})
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = s.dir, s.log, s.log, asUser(s.uid, s.gid)
	cmd.WaitDelay = 10 * time.Second
	started := make(chan error, 1)
	go func() {
		// The signal that ends it with its parent is about this thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		s.process = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(s.ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	return s.await()
}

// await waits until the server answers.
func (s *server) await() error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		conn, err := pgx.Connect(context.Background(), s.dsn())
		if err == nil {
			return conn.Close(context.Background())
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return fmt.Errorf("PostgreSQL has ended:\n%s", s.log)
		case <-deadline:
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		}
	}
}

// kill sends a signal to the server and waits for its end.
func (s *server) kill(sig syscall.Signal) {
	_ = s.process.Signal(sig)
	<-s.ended
}

func (s *server) remove() { _ = os.RemoveAll(s.dir) }

// stop ends it for good.
func (s *server) stop() {
	s.kill(syscall.SIGQUIT)
	s.remove()
}

// shared is the server of most tests, started by the first one.
var shared = sync.OnceValues(func() (*server, error) {
	s, err := newServer()
	if err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		s.remove()
		return nil, err
	}
	running = s
	return s, nil
})

var running *server // what shared has started

// sharedServer returns it, or skips the test where there can be none.
func sharedServer(t testing.TB) *server {
	t.Helper()
	s, err := shared()
	if err != nil {
		skip(t, err)
	}
	return s
}

// ownServer starts a server for one test.
func ownServer(t testing.TB, options ...string) *server {
	t.Helper()
	s, err := newServer(options...)
	if err != nil {
		skip(t, err)
	}
	if err := s.start(); err != nil {
		s.remove()
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

// skip skips where the programs are missing; CI sets the variable, so that
// there a missing one fails.
func skip(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// newPool connects to the server.
func newPool(t testing.TB, s *server) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), s.dsn())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

var schemas atomic.Int32

// newSchema returns the option for a schema that no other test uses.
func newSchema() Option { return Schema(fmt.Sprintf("events %d", schemas.Add(1))) }

// open opens a DB that is closed at the end of the test.
func open(t testing.TB, pool *pgxpool.Pool, opts ...Option) *DB {
	t.Helper()
	db, err := Open(context.Background(), pool, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// TestMain stops the server, and fails the run if goroutines are left.
func TestMain(m *testing.M) {
	if child := strings.Split(os.Getenv("APPEND_FOR_EVER"), "\n"); len(child) == 3 {
		appendForEver(child[0], child[1], child[2])
	}
	code := m.Run()
	if running != nil {
		running.stop()
	}
	if code == 0 {
		code = leaks()
	}
	os.Exit(code)
}

func leaks() int {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	buf := make([]byte, 1<<20)
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		var left []string
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if (strings.Contains(stack, "/eventstore") || strings.Contains(stack, "pgx")) && !strings.Contains(stack, "TestMain") {
				left = append(left, stack)
			}
		}
		if left == nil {
			return 0
		}
		if time.Now().After(deadline) {
			fmt.Fprintf(os.Stderr, "%d goroutines are left after the tests:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
			return 1
		}
	}
}
