//go:build unix

package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
)

var kills = flag.Int("kills", 10, "how often the process that appends is killed")

// killedEnv names the file that the process of the test is to append to.
const killedEnv = "SQLITE_TEST_APPEND_TO"

func TestMain(m *testing.M) {
	if path := os.Getenv(killedEnv); path != "" {
		fmt.Println(appendForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendForever appends batches of three from several goroutines, some beside a
// row of a table of the user's, and prints what is acknowledged. A projection
// notes each event.
func appendForever(path string) error {
	db, err := sqlite.Open(path, quiet(), sqlite.KeepBack(50))
	if err != nil {
		return err
	}
	ctx := context.Background()
	err = db.Update(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS batches (first INTEGER PRIMARY KEY); CREATE TABLE IF NOT EXISTS noted (position INTEGER PRIMARY KEY)")
		return err
	})
	if err != nil {
		return err
	}
	store := eventstore.New(db)
	_, err = sqlite.Project(store, "noted", eventstore.All(), func(ctx context.Context, tx *sqlite.Tx, r eventstore.Recorded) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO noted VALUES (?)", int64(r.Position))
		return err
	})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range 4 {
		go func() {
			for n := 0; ; n++ {
				batch := make([]eventstore.Event, 3)
				for i := range batch {
					batch[i] = eventstore.Event{Type: "t", Stream: fmt.Sprint("s", n%5), Tags: []string{"a", fmt.Sprint(n % 7)}, Data: make([]byte, 300)}
				}
				stored, err := store.Append(ctx, batch)
				if n%4 == 0 && err == nil {
					err = db.Update(ctx, func(tx *sqlite.Tx) error {
						if stored, err = tx.Append([]eventstore.Event{{Type: "row"}, {Type: "row"}, {Type: "row"}}); err != nil {
							return err
						}
						_, err = tx.ExecContext(ctx, "INSERT INTO batches VALUES (?)", int64(stored[0].Position))
						return err
					})
				}
				if err != nil {
					failed <- err
					return
				}
				fmt.Printf("%d %s %s %s\n", stored[0].Position, stored[0].ID, stored[1].ID, stored[2].ID)
			}
		}()
	}
	return <-failed
}

// A process that appends is killed at any moment, again and again: every event
// that it acknowledged is there once, where it said, and no batch is there in
// part, nor without its row, and no checkpoint is ahead of what its projection
// wrote, nor behind it.
func TestNothingAcknowledgedIsLostByAKilledProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	told := map[string]eventstore.Position{}
	var noted int64
	for round := range *kills {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), killedEnv+"="+path)
		out := must(cmd.StdoutPipe())(t)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		read := 0
		timer := time.AfterFunc(time.Duration(50+rand.IntN(500))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for lines.Scan() {
			var first eventstore.Position
			var ids [3]string
			if n, _ := fmt.Sscan(lines.Text(), &first, &ids[0], &ids[1], &ids[2]); n != 4 || len(ids[2]) != 36 {
				if strings.Contains(lines.Text(), "sqlite") {
					t.Fatalf("round %d: the process failed: %s", round, lines.Text())
				}
				continue // cut off
			}
			for i, id := range ids {
				told[id] = first + eventstore.Position(i)
			}
			read++
		}
		timer.Stop()
		_ = cmd.Wait() // killed
		noted = verifyKilled(t, path, told)
	}
	t.Logf("%d events acknowledged, %d by the projection, in %d rounds", len(told), noted, *kills)
	if len(told) == 0 || noted == 0 {
		t.Error("nothing was ever acknowledged")
	}
}

// verifyKilled returns how many events the projection noted.
func verifyKilled(t *testing.T, path string, told map[string]eventstore.Position) (noted int64) {
	t.Helper()
	db, err := sqlite.Open(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := db.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(db)
	var at eventstore.Position
	found := 0
	var rows []int64
	for r, err := range store.Read(t.Context(), eventstore.All()) {
		if err != nil {
			t.Fatal(err)
		}
		if at++; r.Position != at {
			t.Fatalf("position %d after %d", r.Position, at-1)
		}
		if p, ok := told[r.ID]; ok {
			if found++; p != at {
				t.Fatalf("event %s was acknowledged at %d and is at %d", r.ID, p, at)
			}
		}
		if r.Type == "row" && at%3 == 1 {
			rows = append(rows, int64(at))
		}
	}
	if found != len(told) {
		t.Fatalf("%d of %d acknowledged events are there", found, len(told))
	}
	if at%3 != 0 {
		t.Fatalf("%d events: a part of a batch", at)
	}
	undo := errors.New("undo")
	err = db.Update(t.Context(), func(tx *sqlite.Tx) error {
		var n, sum, want int64
		if err := tx.QueryRowContext(t.Context(), "SELECT count(*), coalesce(sum(first), 0) FROM batches").Scan(&n, &sum); err != nil {
			if at == 0 {
				return undo // killed before there was a table
			}
			return err
		}
		var last int64
		if err := tx.QueryRowContext(t.Context(), "SELECT count(*), coalesce(max(position), 0) FROM noted").Scan(&noted, &last); err != nil {
			return err
		}
		keys, err := db.Keys(t.Context(), "noted")
		if err != nil {
			return err
		}
		if at := len(keys) > 0; noted != last || at && int64(keys[0].Position) != noted || !at && noted > 0 {
			t.Errorf("the projection noted %d events up to position %d, and its checkpoint is %v", noted, last, keys)
		}
		for _, p := range rows {
			want += p
		}
		if n != int64(len(rows)) || sum != want {
			t.Errorf("%d rows with the sum %d beside %d batches with the sum %d", n, sum, len(rows), want)
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	return noted
}
