package durable

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"example.com/signals/examples/internal/shop"
)

// zipped is the text as gzip.
func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// filled returns a directory with the replay of a text.
func filled(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if got := command(t, "-data", dir, "-replay", file(t, "filled.csv", text)); got.code != shop.ExitOK {
		t.Fatalf("%+v", got)
	}
	return dir
}

// foreign returns a directory whose store is of another program.
func foreign(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(filepath.Join(dir, "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(db)
	_, err = store.Append(t.Context(), []eventstore.Event{{Type: "customer joined", Data: []byte("{}")}})
	if err := errors.Join(err, store.Close(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWrongInputIsOneLineThatSaysWhatToDo(t *testing.T) {
	text, _ := books(40)
	rows := strings.SplitAfter(text, "\n")
	another := file(t, "another.csv", strings.Replace(text, "RED", "BLUE", 1))
	shorter := file(t, "shorter.csv", strings.Join(rows[:20], ""))
	shifted := file(t, "shifted.csv", header+strings.Join(rows[2:], ""))
	good := file(t, "good.csv", text)
	full := filled(t, text)
	live := t.TempDir()
	if got := command(t, "-data", live, "-orders", "3", "-speed", "max"); got.code != shop.ExitOK {
		t.Fatalf("%+v", got)
	}
	corrupted := t.TempDir()
	if err := os.WriteFile(filepath.Join(corrupted, "shop.db"), bytes.Repeat([]byte("no database"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	z := zipped(t, text)
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no directory":            {[]string{"-replay", good}, shop.ExitUsage, "-data needs a directory"},
		"no file":                 {[]string{"-data", "x", "-replay", ""}, shop.ExitUsage, "-replay needs a file"},
		"argument":                {[]string{"-data", "x", "rest"}, shop.ExitUsage, `unexpected argument "rest"`},
		"unknown flag":            {[]string{"-nonsense"}, shop.ExitUsage, "-nonsense"},
		"none at once":            {[]string{"-data", "x", "-replay", good, "-at-once", "0"}, shop.ExitUsage, "-at-once 0: want 1 to"},
		"at once, live":           {[]string{"-data", "x", "-at-once", "2"}, shop.ExitUsage, "-at-once makes no sense without -replay"},
		"orders of a replay":      {[]string{"-data", "x", "-replay", good, "-orders", "2"}, shop.ExitUsage, "-orders makes no sense with -replay"},
		"no orders":               {[]string{"-data", "x", "-orders", "0"}, shop.ExitUsage, "-orders 0: want 1 or more"},
		"killed never":            {[]string{"-data", "x", "-kill", "0"}, shop.ExitUsage, "-kill 0: want 1 or more"},
		"bad speed":               {[]string{"-data", "x", "-speed", "fast"}, shop.ExitUsage, `"fast"`},
		"directory is a file":     {[]string{"-data", good, "-replay", good}, shop.ExitFailed, good},
		"directory in a file":     {[]string{"-data", filepath.Join(good, "x"), "-replay", good}, shop.ExitFailed, "cannot make the directory of -data"},
		"corrupted store":         {[]string{"-data", corrupted, "-replay", good}, shop.ExitFailed, "corrupted"},
		"another program's store": {[]string{"-data", foreign(t), "-replay", good}, shop.ExitFailed, `of the type "customer joined"; give another directory`},
		"store of a live shop":    {[]string{"-data", live, "-replay", good}, shop.ExitFailed, "orders of a live shop; give the replay another directory"},
		"store of a replay":       {[]string{"-data", full}, shop.ExitFailed, "has the replay of a file; give the live shop another directory"},
		"store of another file":   {[]string{"-data", full, "-replay", another}, shop.ExitFailed, "is not what the store has there: it was filled from another file"},
		"store of shifted lines":  {[]string{"-data", full, "-replay", shifted}, shop.ExitFailed, "filled from another file"},
		"store of a longer file":  {[]string{"-data", full, "-replay", shorter}, shop.ExitFailed, "filled from another file"},
		"missing file":            {[]string{"-data", t.TempDir(), "-replay", "/nowhere/a.csv"}, shop.ExitFailed, "no such file"},
		"empty file":              {[]string{"-data", t.TempDir(), "-replay", file(t, "a.csv", "")}, shop.ExitFailed, "empty"},
		"other columns":           {[]string{"-data", t.TempDir(), "-replay", file(t, "a.csv", "a,b\n1,2\n")}, shop.ExitFailed, `begins with "a,b" (2 columns); want CSV, plain or gzip, whose first line is InvoiceNo,`},
		"a quote":                 {[]string{"-data", t.TempDir(), "-replay", file(t, "a.json", `{"a":1}`)}, shop.ExitFailed, `begins with "{\"a\":1}" (`},
		"no text":                 {[]string{"-data", t.TempDir(), "-replay", file(t, "a.csv", "\x7fELF\x00\"\n")}, shop.ExitFailed, "it is no text"},
		"a spreadsheet":           {[]string{"-data", t.TempDir(), "-replay", file(t, "a.xlsx", "PK\x03\x04 and so on")}, shop.ExitFailed, "save the sheet as CSV"},
		"cut off":                 {[]string{"-data", t.TempDir(), "-replay", file(t, "a.csv.gz", z[:len(z)-100])}, shop.ExitFailed, "cut off"},
		"damaged":                 {[]string{"-data", t.TempDir(), "-replay", file(t, "a.csv.gz", z[:len(z)-6]+"\x00\x00"+z[len(z)-4:])}, shop.ExitFailed, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			got := command(t, test.args...)
			if got.code != test.code || strings.Count(got.stderr, "\n") != 1 || !strings.HasPrefix(got.stderr, "shop-durable: ") || !strings.Contains(got.stderr, test.want) {
				t.Errorf("code %d, %q; want %d, one line with %q", got.code, got.stderr, test.code, test.want)
			}
		})
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("a bad command line has made a directory")
	}
	// None of it has changed what is there.
	if got := command(t, "-data", full, "-replay", good); got.code != shop.ExitOK || !strings.Contains(got.stdout, "nothing was appended") {
		t.Errorf("%+v", got)
	}
}

func TestHelp(t *testing.T) {
	if got := command(t, "-help"); got.code != shop.ExitOK || got.stderr != "" || !strings.HasPrefix(got.stdout, "usage: ") {
		t.Errorf("%+v", got)
	}
}

func TestOneProgramAtATimeHasTheStore(t *testing.T) {
	dir := t.TempDir()
	k := opened(t, dir)
	got := command(t, "-data", dir, "-orders", "1")
	if got.code != shop.ExitFailed || !strings.Contains(got.stderr, "open in another DB") {
		t.Errorf("%+v", got)
	}
	if err := k.close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A file that was cut off on its way is replayed as far as it goes, without the
// invoice that may be a part of one; the whole file goes on from there.
func TestAfterAFileThatIsCutOffTheWholeOneGoesOn(t *testing.T) {
	text, want := books(400)
	z, dir := zipped(t, text), t.TempDir()
	got := command(t, "-data", dir, "-replay", file(t, "a.csv.gz", z[:len(z)/2]))
	if got.code != shop.ExitFailed || !strings.Contains(got.stderr, "cut off, after ") {
		t.Fatalf("%+v", got)
	}
	if part := totals(t, dir).Lines; part == 0 || part >= want.Lines {
		t.Errorf("%d lines of half a file of %d", part, want.Lines)
	}
	finished(t, dir, nil, want, "-data", dir, "-replay", file(t, "a.csv.gz", z), "-at-once", "3")
}

// A file to which a day is added is replayed from there on.
func TestAFileThatHasGrownGoesOn(t *testing.T) {
	text, want := books(300)
	rows := strings.SplitAfter(text, "\n")
	half := len(rows) / 2
	for strings.HasPrefix(rows[half], rows[half-1][:strings.Index(rows[half-1], ",")]) {
		half++ // not in the middle of an invoice
	}
	dir := filled(t, strings.Join(rows[:half], ""))
	got := finished(t, dir, nil, want, "-data", dir, "-replay", file(t, "a.csv", text))
	if !strings.Contains(got.stdout, "of earlier runs") || !strings.Contains(got.stdout, "known") {
		t.Errorf("nothing about what was there:\n%s", got.stdout)
	}
}

func TestMalformedRowsAreSkippedAndResumedBehind(t *testing.T) {
	text, want := books(100)
	text = strings.Replace(text, "\n", "\nnonsense\n", 3)
	path, dir := file(t, "a.csv", text), t.TempDir()
	for range 2 {
		got := command(t, "-data", dir, "-replay", path)
		if got.code != shop.ExitMalformed || strings.Count(got.stderr, "; skipped\n") != 3 || !strings.Contains(got.stderr, "3 malformed rows") {
			t.Errorf("%d %q", got.code, got.stderr)
		}
	}
	if diff := totals(t, dir).Diff(want); diff != nil {
		t.Error(diff)
	}
}

func TestAReplayInterruptedAtOnceExitsInOrder(t *testing.T) {
	text, _ := books(10)
	path, dir := file(t, "a.csv", text), filled(t, text)
	ended, end := context.WithCancel(t.Context())
	end()
	var stdout, stderr strings.Builder
	if code := Command(ended, []string{"-data", dir, "-replay", path}, &stdout, &stderr, 0); code != shop.ExitInterrupted || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("%d %q", code, stderr.String())
	}
}

func TestAReadModelThatIsWrongIsFound(t *testing.T) {
	text, _ := books(30)
	path := file(t, "a.csv", text)
	for _, change := range []string{
		"UPDATE shop_totals SET lines = lines + 1",
		"UPDATE shop_totals SET revenue = '1'",
		"DELETE FROM shop_codes WHERE code = (SELECT min(code) FROM shop_codes)",
		"UPDATE shop_invoices SET cancellation = NOT cancellation WHERE no = (SELECT min(no) FROM shop_invoices)",
	} {
		dir := filled(t, text)
		k := opened(t, dir)
		err := k.db.Update(t.Context(), func(tx *sqlite.Tx) error {
			_, err := tx.ExecContext(t.Context(), change)
			return err
		})
		if err := errors.Join(err, k.close(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := command(t, "-data", dir, "-replay", path); got.code != shop.ExitFailed || !strings.Contains(got.stdout, "THE STORE DOES NOT AGREE") {
			t.Errorf("after %s: %+v", change, got)
		}
	}
}

// The disk is taken away in the middle: the replay ends with one error, and the
// next one goes on.
func TestAStoreThatFailsEndsTheReplay(t *testing.T) {
	text, want := books(150)
	path, dir := file(t, "a.csv", text), t.TempDir()
	o, err := parse([]string{"-data", dir, "-replay", path, "-at-once", "1"})
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	code, err := o.keep(t.Context(), &stderr, func(ctx context.Context, k *keeper) (int, error) {
		in, err := shop.OpenInput(path)
		if err != nil {
			return 0, err
		}
		defer in.Close()
		var once bool
		k.ledger.stored = func(string) {
			if !once {
				once = true
				_ = k.db.Close() // as good as a disk that is gone
			}
		}
		return o.replayInto(ctx, k, in, shop.NewScreen(io.Discard, 0), &stderr)
	})
	if err == nil || !strings.Contains(err.Error(), "the store failed") || code != 0 {
		t.Errorf("%d, %v", code, err)
	}
	if n := strings.Count(stderr.String(), "was refused"); n > 2 {
		t.Errorf("%d invoices were tried after that", n)
	}
	finished(t, dir, nil, want, "-data", dir, "-replay", path)
}
