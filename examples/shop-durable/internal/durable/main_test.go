package durable

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"example.com/signals/examples/internal/shop"
)

// childEnv has the arguments of the program that the process of the test is to
// be, separated by newlines.
const childEnv = "SHOP_DURABLE_TEST_ARGUMENTS"

func TestMain(m *testing.M) {
	if args := os.Getenv(childEnv); args != "" {
		os.Exit(child(strings.Split(args, "\n")))
	}
	goleak.VerifyTestMain(m)
}

// child is the program, and prints the ID of each event that is on the disk.
func child(args []string) int {
	o, err := parse(args)
	if err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	o.stored = func(id string) { fmt.Println(id) }
	return o.run(context.Background(), shop.NewScreen(io.Discard, 0), os.Stderr)
}

// raceEnabled is set by race_test.go. SQLite in Go is then many times slower.
var raceEnabled bool

const header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

// books are a file with so many invoices, and what is in them, added up without
// the shop.
func books(invoices int) (text string, want shop.Totals) {
	random := rand.New(rand.NewPCG(uint64(invoices), 1))
	var b strings.Builder
	b.WriteString(header)
	customers, codes := map[string]bool{}, map[string]bool{}
	thousandths := int64(0)
	for n := range invoices {
		no, sign := fmt.Sprint(500000+n), int64(1)
		if random.IntN(7) == 0 {
			no, sign = "C"+no, -1
			want.Cancellations++
		}
		want.Invoices++
		customer := ""
		if random.IntN(4) > 0 {
			customer = fmt.Sprint(12000 + random.IntN(300))
			customers[customer] = true
			customer += ".0"
		}
		for range 1 + random.IntN(7) {
			code := fmt.Sprint(20000 + random.IntN(500))
			codes[code] = true
			quantity, price := sign*int64(1+random.IntN(20)), int64(random.IntN(9000)-100)
			fmt.Fprintf(&b, "%s,%s,\"A %s, RED\",%d,2010-12-01 08:26:00,%s,%s,France\n", no, code, code, quantity, decimal(price), customer)
			want.Lines++
			want.Quantity += quantity
			thousandths += quantity * price
			if price <= 0 {
				want.Unpriced++
			}
			if customer == "" {
				want.Anonymous++
			}
		}
	}
	want.Customers, want.Codes = len(customers), len(codes)
	want.Revenue, _ = shop.ParseMoney(decimal(thousandths))
	return b.String(), want
}

// decimal is a number of thousandths.
func decimal(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%03d", sign, n/1000, n%1000)
}

// file writes a file of that name and content.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// said is what Command left behind.
type said struct {
	code           int
	stdout, stderr string
}

func command(t *testing.T, args ...string) said {
	t.Helper()
	var stdout, stderr strings.Builder
	code := Command(t.Context(), args, &stdout, &stderr, 0)
	return said{code, stdout.String(), stderr.String()}
}

// opened opens the store in a directory until the end of the test.
func opened(t *testing.T, dir string) *keeper {
	t.Helper()
	k, err := open(t.Context(), dir, testLog(t), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// totals returns what the read model in a directory says.
func totals(t *testing.T, dir string) shop.Totals {
	t.Helper()
	k := opened(t, dir)
	got, err := readModel(t.Context(), k.db)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return got
}
