package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"example.com/signals/examples/internal/exampletest"
	"example.com/signals/examples/internal/shop"
	"example.com/signals/natsignals"
	"example.com/signals/natsignals/embedded"
)

// money is an amount that is right.
func money(t *testing.T, text string) shop.Money {
	t.Helper()
	m, err := shop.ParseMoney(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// known is what 500 invented orders come to, whatever happens to them.
func known(t *testing.T) Totals {
	return Totals{Orders: 500, Sent: 6638, Returned: 953, Totals: shop.Totals{
		Lines: 1186, Anonymous: 310, Invoices: 500, Cancellations: 61, Customers: 302, Codes: 19, Quantity: 5685,
		Revenue: money(t, "12365.67"),
	}}
}

// quietly is a screen that nobody looks at unless the test fails.
func quietly(t *testing.T) *Screen {
	said := &bytes.Buffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return NewScreen(said, func() int { return 0 })
}

func expect(t *testing.T, s Summary, want Totals) {
	t.Helper()
	for who, got := range map[string]Totals{"the load": s.Want, "orders": s.Orders, "shipping": s.Shipping, "analytics": s.Analytics} {
		for _, diff := range compare(who, got, want) {
			t.Error(diff)
		}
	}
}

func TestTotalsAreExactWhoeverIsKilled(t *testing.T) {
	kills := 3
	s, err := Run(t.Context(), Config{Load: &Load{Orders: 500}, Kills: kills, Screen: quietly(t)})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, s, known(t))
	if want := (map[string]int{"orders": kills, "shipping": kills, "analytics": kills}); !reflect.DeepEqual(s.Kills, want) {
		t.Errorf("killed: %v, want %v", s.Kills, want)
	}
	t.Logf("came twice: %v", s.Repeats)
}

var whole = flag.Bool("whole", false, "replay all of the real file, which takes minutes on a busy machine")

// The totals are those that ../shared/data/README.md knows.
func TestTotalsOfTheRealFileAreExactWhoeverIsKilled(t *testing.T) {
	file := exampletest.RealFile(t, filepath.Base(retail))
	if !*whole {
		file = beginningOf(t, file, 10_000)
	}
	s, err := Run(t.Context(), Config{Load: &Load{File: file}, Kills: 2, Screen: quietly(t)})
	if err != nil {
		t.Fatal(err)
	}
	if !*whole {
		if s.Want.Lines != 10_000 {
			t.Errorf("%d lines, want 10,000", s.Want.Lines)
		}
		expect(t, s, s.Want)
		return
	}
	expect(t, s, Totals{Orders: 25901, Sent: 5_588_376, Returned: 277_574, Totals: shop.Totals{
		Lines: 541_909, Unpriced: 2517, Anonymous: 135_080, Invoices: 25_900, Cancellations: 3836, Customers: 4372,
		Codes: 4070, Quantity: 5_176_450, Revenue: money(t, "9747747.934"),
	}})
}

// beginningOf writes the header and the first rows of a file to another one.
func beginningOf(t *testing.T, file string, rows int) string {
	t.Helper()
	in, err := shop.OpenInput(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var text strings.Builder
	lines := bufio.NewScanner(in)
	for n := 0; n <= rows && lines.Scan(); n++ {
		text.WriteString(lines.Text() + "\n")
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "retail.csv")
	if err := os.WriteFile(name, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// until returns a context that ends when the process with that role has so many
// orders, and what tells it.
func until(t *testing.T, role string, orders int) (context.Context, func(string, report)) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, func(who string, r report) {
		if who == role && r.Orders >= orders {
			cancel()
		}
	}
}

func TestInterruptedShopGoesOnWhereItWas(t *testing.T) {
	dir := t.TempDir()
	for i, role := range roles {
		ctx, heard := until(t, role, 100*(i+1))
		s, err := Run(ctx, Config{Data: dir, Load: &Load{Orders: 500}, Screen: quietly(t), heard: heard})
		if err != nil {
			t.Fatal(err) // what is there is compared with as much of the load
		}
		if !s.Interrupted && s.Orders.Orders < 500 {
			t.Errorf("not interrupted with %d orders", s.Orders.Orders)
		}
	}
	s, err := Run(t.Context(), Config{Data: dir, Screen: quietly(t)}) // it knows its load
	if err != nil {
		t.Fatal(err)
	}
	expect(t, s, known(t))
}

// halfDone is the directory of a shop that was interrupted.
func halfDone(t *testing.T) (dir string) {
	dir = t.TempDir()
	ctx, heard := until(t, "analytics", 50)
	if _, err := Run(ctx, Config{Data: dir, Load: &Load{Orders: 200}, Screen: quietly(t), heard: heard}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// onServer does something with the server of a shop that does not run.
func onServer(t *testing.T, dir string, do func(js jetstream.JetStream, s settings)) {
	t.Helper()
	h, err := openHome(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	server, err := embedded.Start(h.path("nats"))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	nc, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	do(js, h.settings)
}

func TestWhatComesTwiceIsHandledOnce(t *testing.T) {
	dir := t.TempDir()
	ctx, heard := until(t, "shipping", 100)
	half, err := Run(ctx, Config{Data: dir, Load: &Load{Orders: 500}, Screen: quietly(t), heard: heard})
	if err != nil {
		t.Fatal(err)
	}
	want := comesAgain(t, dir)
	if want == 0 {
		t.Skip("a free processor: shipping had everything before it could be stopped")
	}
	onServer(t, dir, func(js jetstream.JetStream, s settings) {
		for i := range lanes { // shipping gets all of them again
			if err := js.DeleteConsumer(t.Context(), s.stream(), fmt.Sprintf("shipping-%d", i)); err != nil {
				t.Fatal(err)
			}
		}
	})
	s, err := Run(t.Context(), Config{Data: dir, Screen: quietly(t)})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, s, known(t))
	if got := s.Repeats["shipping"] - half.Repeats["shipping"]; got < want {
		t.Errorf("%d came again, want %d of the %d that shipping had", got, want, half.Shipping.Orders)
	}
}

// comesAgain is how many of the orders that shipping has it must get again, if it
// gets all from the beginning, before it has those that it has not: the partitions
// do not wait for each other.
func comesAgain(t *testing.T, dir string) (n int) {
	t.Helper()
	a := &audit{desk: shipping}
	if err := a.open(t.Context(), &home{dir: dir}); err != nil {
		t.Fatal(err)
	}
	if err := a.db.Close(); err != nil {
		t.Fatal(err)
	}
	versions, done, open := map[string]uint64{}, map[string]int{}, map[string]bool{}
	for o, err := range (Load{Orders: 500}).All() {
		if err != nil {
			t.Fatal(err)
		}
		versions[o.Stream()]++
		lane := natsignals.PartitionOf("orders", o.Stream(), lanes)
		if versions[o.Stream()] <= a.versions[o.Stream()] {
			done[lane]++
		} else {
			open[lane] = true
		}
	}
	for lane := range open {
		n += done[lane]
	}
	return n
}

func TestWhatIsNotExactIsSaid(t *testing.T) {
	for name, statement := range map[string]string{
		"shipping":  `UPDATE parcels SET sent = sent + 1, returned = returned + 1 WHERE id = 7`,
		"analytics": `UPDATE countries SET revenue = '0.01' WHERE country = 'United Kingdom'`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := halfDone(t)
			db, err := sqlite.Open(storeOf(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(t.Context(), func(tx *sqlite.Tx) error {
				_, err := tx.ExecContext(t.Context(), statement)
				return err
			})
			if err = errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			_, err = Run(t.Context(), Config{Data: dir, Screen: quietly(t)})
			if err == nil || !strings.Contains(err.Error(), "the totals are not exact: "+name+": ") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// An order that the relay has never published, though a later one of the same
// customer, is a gap.
func TestLostOrderEndsTheRun(t *testing.T) {
	dir := t.TempDir()
	db, err := sqlite.Open(storeOf(dir, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(db)
	for i := range 2 {
		_, err := store.Append(t.Context(), []eventstore.Event{{ID: fmt.Sprintf("order-%d", i+1), Type: "placed", Stream: "customer-1", Data: []byte(`{"no":"A"}`)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.OpenKey(t.Context(), relayKey, 1); err != nil { // as if the first were published
		t.Fatal(err)
	}
	if err := errors.Join(store.Close(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Run(t.Context(), Config{Data: dir, Load: &Load{Orders: 5}, Screen: quietly(t)})
	if err == nil || !strings.Contains(err.Error(), "number 2 of customer-1, and 0 was the last") {
		t.Errorf("got %v", err)
	}
}
