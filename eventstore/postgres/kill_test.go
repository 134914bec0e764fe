package postgres

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5/pgxpool"
)

var kills = flag.Int("kills", 5, "how often the appender, and the server, are killed in their tests")

// appendForEver is what TestMain does in a child process: it appends until it is killed, or until the
// server is gone for good, and prints the ids that were acknowledged.
func appendForEver(dsn, schema, prefix string) {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		panic(err)
	}
	db, err := Open(ctx, pool, Schema(schema))
	if err != nil {
		panic(err)
	}
	store := eventstore.New(db)
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%s-%d-%d", prefix, i, n)
				batch := []eventstore.Event{
					{ID: id + "-a", Type: "a", Stream: fmt.Sprint("s", n%7), Tags: []string{fmt.Sprint("t", n%5), "all"}},
					{ID: id + "-b", Type: "b", Stream: fmt.Sprint("s", n%3), Data: []byte("0123456789")},
				}
				_, err := store.Append(ctx, batch)
				mu.Lock()
				if err == nil {
					fmt.Println(id)
				} else if errors.Is(err, eventstore.ErrOutcomeUnknown) {
					fmt.Println("?" + id)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
}

// child is a process that appends.
type child struct {
	cmd   *exec.Cmd
	lines chan string
}

func startChild(t *testing.T, s *server, schema, prefix string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "APPEND_FOR_EVER="+s.dsn()+"\n"+schema+"\n"+prefix)
	cmd.Stderr = os.Stderr
	out := must(cmd.StdoutPipe())
	ok(t, cmd.Start())
	c := &child{cmd, make(chan string, 1<<20)}
	go func() {
		defer close(c.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.lines <- lines.Text()
		}
	}()
	t.Cleanup(c.kill)
	return c
}

// await waits for that many lines.
func (c *child) await(t *testing.T, n int) (lines []string) {
	t.Helper()
	for range n {
		lines = append(lines, await(t, "an acknowledged id", c.lines))
	}
	return lines
}

// kill kills it. What it has printed remains in lines.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// verify checks that every acknowledged batch is there once, and nothing of any
// batch without the rest of it.
func verify(t *testing.T, db *DB, acknowledged []string) {
	t.Helper()
	found := map[string]int{}
	all := ids(t, db) // dense
	for i, id := range all {
		if found[id]++; found[id] > 1 {
			t.Errorf("event %s is stored twice", id)
		}
		if batch, first := strings.CutSuffix(id, "-a"); first && (i+1 == len(all) || all[i+1] != batch+"-b") {
			t.Errorf("half of batch %s is stored", batch)
		}
	}
	for _, id := range acknowledged {
		if !strings.HasPrefix(id, "?") && (found[id+"-a"] != 1 || found[id+"-b"] != 1) {
			t.Errorf("batch %s was acknowledged and is lost", id)
		}
	}
	ok(t, db.Check(within(t)))
}

func TestAKilledAppenderLosesNothing(t *testing.T) {
	s := sharedServer(t)
	db := open(t, newPool(t, s), newSchema())
	var acknowledged []string
	for round := range *kills {
		c := startChild(t, s, db.schema, fmt.Sprint("r", round))
		acknowledged = append(acknowledged, c.await(t, 1+rand.IntN(300))...)
		c.kill()
		for id := range c.lines {
			acknowledged = append(acknowledged, id)
		}
		verify(t, db, acknowledged)
	}
	t.Logf("%d kills, %d batches acknowledged, %d events", *kills, len(acknowledged), must(db.Head(within(t))))
}

// The postmaster and all of its processes are killed, and start again with what
// is on disk; the appender goes on.
func TestAKilledServerLosesNothing(t *testing.T) {
	s := ownServer(t)
	pool := newPool(t, s)
	db := open(t, pool, newSchema())
	c := startChild(t, s, db.schema, "r")
	var acknowledged []string
	for range *kills {
		acknowledged = append(acknowledged, c.await(t, 50+rand.IntN(300))...)
		s.kill(syscall.SIGKILL)
		ok(t, s.restart())
		verify(t, db, acknowledged)
	}
	c.kill()
	unknown := 0
	for id := range c.lines {
		acknowledged = append(acknowledged, id)
	}
	for _, id := range acknowledged {
		if strings.HasPrefix(id, "?") {
			unknown++
		}
	}
	verify(t, db, acknowledged)
	t.Logf("%d kills, %d batches acknowledged, %d unknown, %d events", *kills, len(acknowledged)-unknown, unknown, must(db.Head(within(t))))
}

// restart starts a killed server again, as soon as its processes are gone: until
// then the shared memory is in use.
func (s *server) restart() error {
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err = s.start(); err == nil {
			return nil
		}
	}
	return err
}
