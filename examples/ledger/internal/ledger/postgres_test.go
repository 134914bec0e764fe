package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestARunOnPostgresGoesOnWhereTheLastOneEnded(t *testing.T) {
	dsn := newDSN(t)
	runTwice(t, openDSN(t, dsn))
	var stdout, stderr strings.Builder
	code := Command(t.Context(), []string{"-postgres", dsn, "-transfers", "2100"}, &stdout, &stderr)
	if code != 0 || !strings.Contains(stdout.String(), "2100 requests answered, 2000 of them by earlier runs") {
		t.Errorf("%d %q\n%s", code, stderr.String(), stdout.String())
	}
}

func TestNothingIsLostByAKillOnPostgres(t *testing.T) { killAgainAndAgain(t, "postgres", newDSN(t)) }

func TestASecondProgramIsTold(t *testing.T) {
	dsn := newDSN(t)
	one, two := openDSN(t, dsn), openDSN(t, dsn)
	lease, err := one.backend.Lease(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	if _, err := Run(t.Context(), two, Config{Transfers: 1}); err == nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v; want that another program is at work", err)
	}
}

func openDSN(t *testing.T, dsn string) *Database {
	t.Helper()
	db, err := OpenPostgres(t.Context(), dsn)
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

// postgresServer is a PostgreSQL on a socket in a directory of its own.
type postgresServer struct {
	dir, bin  string
	as        *user.User // nil: who we are
	databases int
}

// server is that of all tests, started by the first that needs it.
var server *postgresServer

// newDSN returns an empty database. Where there is no server the test is
// skipped, but not in CI.
func newDSN(t *testing.T) string {
	t.Helper()
	if server == nil {
		s, err := startPostgres()
		switch {
		case err != nil && os.Getenv("CI") != "":
			t.Fatal(err)
		case err != nil:
			t.Skip(err)
		}
		server = s
	}
	conn, err := pgx.Connect(t.Context(), server.dsn("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	server.databases++
	name := fmt.Sprint("ledger", server.databases)
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return server.dsn(name)
}

func (s *postgresServer) dsn(database string) string {
	return "host=" + s.dir + " user=postgres dbname=" + database
}

func startPostgres() (_ *postgresServer, err error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return nil, errors.New("PostgreSQL's server is missing (Debian: apt-get install postgresql)")
	}
	s := &postgresServer{bin: filepath.Dir(found[0])}
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil { // not t.TempDir: the path of a socket is short
		return nil, err
	}
	if os.Geteuid() == 0 { // PostgreSQL does not run as root
		if s.as, err = user.Lookup("postgres"); err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(s.as.Uid)
		gid, _ := strconv.Atoi(s.as.Gid)
		if err := os.Chown(s.dir, uid, gid); err != nil {
			return nil, err
		}
	}
	err = s.run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if err == nil {
		err = s.run("pg_ctl", "start", "-w", "-l", filepath.Join(s.dir, "log"), "-o", "-k "+s.dir+" -c listen_addresses=")
	}
	if err != nil {
		_ = os.RemoveAll(s.dir)
	}
	return s, err
}

// run runs a program of PostgreSQL on the data.
func (s *postgresServer) run(program string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, program), append(args, "-D", filepath.Join(s.dir, "data"))...)
	if s.as != nil { // setpriv is in util-linux, which every Debian has
		cmd = exec.Command("setpriv", append([]string{"--reuid", s.as.Uid, "--regid", s.as.Gid, "--clear-groups"}, cmd.Args...)...)
	}
	cmd.Dir = s.dir
	// A file, not a pipe: the server inherits it, and a pipe would stay open.
	out, err := os.CreateTemp("", "pg_output")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w\n%s", program, err, text)
	}
	return nil
}

func (s *postgresServer) stop() {
	if err := s.run("pg_ctl", "stop", "-m", "immediate"); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	_ = os.RemoveAll(s.dir)
}
