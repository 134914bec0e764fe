//go:build linux

package faultfs_test

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"example.com/signals/faultfs"
)

// PostgreSQL keeps what it acknowledged over a power cut, whichever way it
// syncs its log, and loses it with fsync=off: that shows that the first is no accident.
func TestPostgreSQL(t *testing.T) {
	if testing.Short() {
		t.Skip("initdb takes seconds")
	}
	pg := newPostgres(t)
	pg.run(t, "initdb", "-D", pg.data(), "-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8")
	must(t, pg.fs.Save())
	for name, c := range map[string]struct {
		settings []string
		want     string
	}{
		"fdatasync":     {[]string{"wal_sync_method=fdatasync"}, "3"},
		"open_datasync": {[]string{"wal_sync_method=open_datasync"}, "3"},
		"no fsync":      {[]string{"fsync=off"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, pg.fs.Reset())
			server := pg.start(t, c.settings...)
			pg.sql(t, "CREATE TABLE t (n int)")
			for range 3 {
				pg.sql(t, "INSERT INTO t VALUES (1)")
			}
			cut(t, pg.fs, faultfs.Tear{})
			server.kill()
			server = pg.start(t)
			defer server.kill()
			if got := pg.sql(t, "SELECT count(*) FROM pg_class WHERE relname = 't'"); c.want == "" {
				if got != "0" {
					t.Errorf("%s tables are left, want the control to lose it", got)
				}
			} else if got := pg.sql(t, "SELECT count(*) FROM t"); got != c.want {
				t.Errorf("%s rows are left, want %s", got, c.want)
			}
		})
	}
}

type postgres struct {
	fs      *faultfs.FS
	bin     string
	sockets string
	as      *syscall.Credential // it refuses to run as root
}

func newPostgres(t *testing.T) *postgres {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(bins) == 0 {
		t.Skip("needs PostgreSQL: no initdb in /usr/lib/postgresql, where Debian has it")
	}
	pg := &postgres{fs: faultfs.Start(t), bin: filepath.Dir(bins[len(bins)-1])}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Skipf("needs a user to run PostgreSQL as: %v", err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		pg.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	var err error
	pg.sockets, err = os.MkdirTemp("", "pg") //nolint:usetesting // the path of a socket must be short
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(pg.sockets) })
	must(t, os.Mkdir(pg.data(), 0o700))
	if pg.as != nil {
		for _, dir := range []string{pg.sockets, pg.data()} {
			must(t, os.Chown(dir, int(pg.as.Uid), int(pg.as.Gid)))
		}
	}
	return pg
}

func (pg *postgres) data() string { return filepath.Join(pg.fs.Dir(), "data") }

func (pg *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(pg.bin, name), args...)
	cmd.Dir = pg.sockets
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: pg.as}
	return cmd
}

func (pg *postgres) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := pg.command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (pg *postgres) sql(t *testing.T, query string) string {
	t.Helper()
	return pg.run(t, "psql", "-h", pg.sockets, "-U", "postgres", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", query, "postgres")
}

type postmaster struct {
	cmd *exec.Cmd
	log bytes.Buffer
}

// start returns when the server answers; log may be read after kill.
func (pg *postgres) start(t *testing.T, settings ...string) *postmaster {
	t.Helper()
	args := []string{"-D", pg.data(), "-k", pg.sockets, "-h", "", "-c", "fsync=on", "-c", "shared_buffers=1MB"}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	p := &postmaster{cmd: pg.command("postgres", args...)}
	p.cmd.Stderr = &p.log
	must(t, p.cmd.Start())
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("PostgreSQL says:\n%s", &p.log)
		}
	})
	eventually(t, "PostgreSQL answers", func() bool {
		return pg.command("pg_isready", "-q", "-h", pg.sockets, "-U", "postgres").Run() == nil
	})
	return p
}

// kill ends the server at once, as a power cut does.
func (p *postmaster) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		_ = p.cmd.Wait()
	}
}
