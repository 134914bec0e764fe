package ledger

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/signals/eventstore"
)

// openSQLite opens a ledger that is closed at the end of the test.
func openSQLite(t *testing.T, dir string) *Database {
	t.Helper()
	db, err := OpenSQLite(dir)
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

// founded returns a store with the customers.
func founded(t *testing.T, db *Database) *eventstore.Store {
	t.Helper()
	if err := errors.Join(makeTables(t.Context(), db), found(t.Context(), db)); err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(db.backend, eventstore.Types(today(db.backend)))
	t.Cleanup(func() {
		if err := store.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return store
}

// answers returns what the events say of each request, by its ID.
func answers(t *testing.T, store *eventstore.Store) map[string]any {
	t.Helper()
	all := map[string]any{}
	for r, err := range store.Read(t.Context(), eventstore.Match(eventstore.Item{Types: []string{"transferred", "refused"}})) {
		if err != nil {
			t.Fatal(err)
		}
		values, err := store.Types().Decode(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		all[r.ID] = values[0]
	}
	return all
}

func TestBothAccountsTogetherBoundWhatACustomerCanPay(t *testing.T) {
	store := founded(t, openSQLite(t, t.TempDir()))
	const enough = "your accounts together have not enough"
	// Customer 1 has 1000.00, all in the checking account.
	for n, step := range []struct {
		from, to string
		cents    int64
		refusal  string
	}{
		{"1-savings", "2-checking", 60_000, ""}, // overdrawn, but covered by the other account
		{"1-checking", "2-checking", 40_001, enough},
		{"1-checking", "1-savings", 200_000, ""}, // from one's own to one's own
		{"1-savings", "2-checking", 40_001, enough},
		{"1-savings", "2-checking", 40_000, ""},
		{"1-checking", "2-checking", 1, enough},
		{"2-checking", "1-checking", 1, "not an account of yours"},
		{"1-checking", "9-checking", 1, "there is no such account"},
		{"1-checking", "1-savings", 0, "no amount"},
		{"1-checking", "1-savings", -5, "no amount"},
	} {
		r := Request{"1", n + 1, step.from, step.to, step.cents}
		for range 2 { // asking again changes nothing
			if err := Transfer(t.Context(), store, r); err != nil {
				t.Fatal(err)
			}
		}
		var want any = Transferred(r)
		if step.refusal != "" {
			want = Refused{"1", n + 1, step.refusal}
		}
		if got := answers(t, store)[r.ID()]; got != want {
			t.Errorf("%+v was answered with %+v; want %+v", r, got, want)
		}
	}
	if err := Transfer(t.Context(), store, Request{"1", 12, "1-checking", "2-checking", 1}); err == nil || !strings.Contains(err.Error(), "11 has no answer yet") {
		t.Errorf("a request that skips one: %v", err)
	}
}

// Two requests of one customer, from two accounts, that cannot both be granted:
// each time exactly one is, though they have no account in common.
func TestRequestsFromTwoAccountsCannotBothSpendTheSameMoney(t *testing.T) {
	for range 20 {
		store := founded(t, openSQLite(t, t.TempDir()))
		done := make(chan error)
		for _, from := range []string{"1-checking", "1-savings"} {
			go func() {
				// Without Transfer's numbers, which alone would keep them apart.
				_, err := eventstore.Decide(t.Context(), store, model("1"), func(s State) ([]any, error) {
					r := Request{By: "1", From: from, To: "2-checking", Cents: 70_000}
					if s.refusal(r) != "" {
						return nil, nil
					}
					return []any{Transferred(r)}, nil
				})
				done <- err
			}()
		}
		if err := errors.Join(<-done, <-done); err != nil {
			t.Fatal(err)
		}
		s, _, err := eventstore.Load(t.Context(), store, model("1"))
		if err != nil || s.total() != 30_000 {
			t.Fatalf("%d cents are left, %v; want 30000", s.total(), err)
		}
	}
}

func TestARunGoesOnWhereTheLastOneEnded(t *testing.T) { runTwice(t, openSQLite(t, t.TempDir())) }

// runTwice interrupts a run in the middle, and lets others do the rest.
func runTwice(t *testing.T, db *Database) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var calls atomic.Int64
	first, err := Run(ctx, db, Config{Transfers: 400, Answered: func(Request) {
		if calls.Add(1) == 100 {
			interrupt()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	answered := first.Transferred + first.Refused
	if !first.Interrupted || answered != int(calls.Load()) || answered >= 400 {
		t.Fatalf("interrupted after 100 answers: %+v", first)
	}
	if got := first.Books.Names["8"]; got != "Henri" {
		t.Errorf("customer 8 is %q", got)
	}
	second, err := Run(t.Context(), db, Config{Transfers: 400})
	if err != nil {
		t.Fatal(err)
	}
	if second.Before != answered || second.Transferred+second.Refused != 400 || second.Interrupted {
		t.Errorf("after %d answers: %+v", answered, second)
	}
	if second.Transferred == 0 || second.Refused == 0 {
		t.Errorf("%d transfers, %d refused: some of both would show more", second.Transferred, second.Refused)
	}
	third, err := Run(t.Context(), db, Config{Transfers: 400})
	if err != nil {
		t.Fatal(err)
	}
	if third.Events != second.Events || third.Erased != 1 {
		t.Errorf("a run with nothing to do: %d events, %d erased; before %d", third.Events, third.Erased, second.Events)
	}
	if got := third.Books; got.Names["8"] != "(erased)" || got.Names["7"] != "Grace" || got.Cents["8-checking"] != 0 || got.Cents["8-savings"] != 0 {
		t.Errorf("customer 8 has left: %+v", got)
	}
	more, err := Run(t.Context(), db, Config{Transfers: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if more.Transferred+more.Refused != 2000 || more.Snapshots == 0 {
		t.Errorf("2000 requests in all: %+v", more)
	}
}

func TestAnErasedNameIsNowhereInTheFiles(t *testing.T) {
	dir := t.TempDir()
	db, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), db, Config{Transfers: 40}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(names[6])) {
		t.Error("the name of a customer who has not left is not in the read model either")
	}
	if bytes.Contains(data, []byte(names[7])) {
		t.Error("the name of the customer who has left is still there")
	}
}

func TestARunFindsBooksThatAreWrong(t *testing.T) {
	for change, want := range map[string]string{
		"UPDATE ledger_balances SET cents = cents + 1 WHERE account = '1-checking'":                       "add up to 1 cent:",
		"UPDATE ledger_balances SET cents = -cents":                                                       "the events say",
		"DELETE FROM ledger_letters WHERE request = (SELECT min(request) FROM ledger_letters)":            "refusals",
		"INSERT INTO ledger_letters VALUES ('request-1-1000000', 'a letter about what nobody asked for')": "refusals",
	} {
		db := openSQLite(t, t.TempDir())
		if _, err := Run(t.Context(), db, Config{Transfers: 200}); err != nil {
			t.Fatal(err)
		}
		if err := db.update(t.Context(), func(tx tx) error { return tx.exec(t.Context(), change) }); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), db, Config{Transfers: 200}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("after %s: %v; want %q", change, err, want)
		}
	}
}

func TestWrongInputIsOneLineAndOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-transfers", "0"}, "-transfers 0: want 1 or more"},
		{[]string{"-transfers", "many"}, "many"},
		{[]string{"-kill", "-1"}, "-kill -1: want 1 or more"},
		{[]string{"-data", ""}, "-data needs a directory"},
		{[]string{"-postgres", ""}, "-postgres needs a connection string"},
		{[]string{"-data", "x", "-postgres", "y"}, "give one of them"},
		{[]string{"-data", file}, file},
		{[]string{"-postgres", "host=/nowhere user=nobody"}, "/nowhere"},
		{[]string{"-postgres", "postgres://a:secret@%zz"}, "such as postgres://localhost/test: cannot parse"},
		{[]string{"rest"}, `unexpected argument "rest"`},
		{[]string{"-nonsense"}, "-nonsense"},
	} {
		var stdout, stderr strings.Builder
		code := Command(t.Context(), test.args, &stdout, &stderr)
		line := stderr.String()
		if code != 1 || strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "ledger: ") || !strings.Contains(line, test.want) || strings.Contains(line, "secret") {
			t.Errorf("%q: code %d, %q; want 1, a line with %q", test.args, code, line, test.want)
		}
	}
	var stdout, stderr strings.Builder
	if code := Command(t.Context(), []string{"-help"}, &stdout, &stderr); code != 0 || !strings.HasPrefix(stdout.String(), "usage:") || stderr.Len() > 0 {
		t.Errorf("-help: %d %q %q", code, stdout.String(), stderr.String())
	}
}

func TestTheProgramPrintsWhatCameOfIt(t *testing.T) {
	dir := t.TempDir()
	var stdout, stderr strings.Builder
	if code := Command(t.Context(), []string{"-data", dir, "-transfers", "80"}, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Fatalf("%d %q", code, stderr.String())
	}
	for _, want := range []string{"80 requests answered, 0 of them by earlier runs", "(erased)", "adds up to zero", "1 event erased"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout.String())
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	stdout.Reset()
	if code := Command(ended, []string{"-data", dir, "-transfers", "100"}, &stdout, &stderr); code != exitInterrupted {
		t.Errorf("interrupted at once: %d %q %q", code, stdout.String(), stderr.String())
	}
}
