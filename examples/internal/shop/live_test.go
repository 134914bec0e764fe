package shop

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// runLive runs a live shop in the bubble's time and returns what it said.
func runLive(t *testing.T, ctx context.Context, live Live, width int) (said string, s *Shop, took time.Duration) {
	t.Helper()
	var out bytes.Buffer
	live.Screen = NewScreen(&out, width)
	live.Shop = opened(t, func(c *Config) {
		c.Restock = 1000
		c.Log = slog.New(slog.NewTextHandler(live.Screen, nil))
		c.Notice = func(text string) { live.Screen.Printf("%s", text) }
	})
	start := time.Now()
	live.Run(ctx)
	took = time.Since(start)
	closed(t, live.Shop)
	return out.String(), live.Shop, took
}

func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said, s, took := runLive(t, t.Context(), Live{Seed: 1, Speed: 1}, 0)
		if took.Round(10*time.Millisecond) != 20*time.Second {
			t.Errorf("the story took %v, want 20 s", took)
		}
		for second := 1; second <= 20; second++ {
			if want := fmt.Sprintf("\n%s  ", clock(second)); !strings.Contains("\n"+said, want) {
				t.Errorf("nothing was said in second %d", second)
			}
		}
		for _, want := range []string{
			`00:05  story: signals: listener 2 "payment" of "order.placed" vetoed: payment of 32.85 declined`,
			`00:05  story: the stock is released: 1000 of 22423 on the shelf before, 997 while the bank was asked, 1000 now`,
			// the library's warning
			`level=WARN`, `signal=order.accepted`, `key=shipping`,
			`alert: shipping is not healthy`,
			`00:11  story: slow listener "shipping" of order.accepted (`, `Shipping).OnOrder`, `shop/signals.go:`,
			`; the others: inventory 0, analytics 0, audit 0`,
			`00:14  story: the printer works again and shipping has caught up: lag inventory 0, shipping 0, analytics 0, audit 0`,
			`alert: shipping is healthy again`,
		} {
			if !strings.Contains(said, want) {
				t.Errorf("the story lacks %q", want)
			}
		}
		if t.Failed() {
			t.Log(said)
		}
		if s.Refused() != 1 || s.Orders() < 400 || s.Cancellations() == 0 {
			t.Errorf("%d orders, %d refused, %d cancelled", s.Orders(), s.Refused(), s.Cancellations())
		}
	})
}

func TestSameSeedSameOrders(t *testing.T) {
	var first, other string
	for i := range 3 {
		g := NewGenerator(uint64(1 + i/2))
		var text strings.Builder
		for range 500 {
			if a := g.Next(time.Time{}); a.Order != nil {
				fmt.Fprintf(&text, "%+v\n", *a.Order)
			} else {
				fmt.Fprintln(&text, a.Cancel)
			}
		}
		switch i {
		case 0:
			first = text.String()
		case 1:
			if text.String() != first {
				t.Error("the same seed gives other orders")
			}
		case 2:
			other = text.String()
		}
	}
	if first == other {
		t.Error("another seed gives the same orders")
	}
}

// The line a second tells of whatever waits, for whomever.
func TestTheLineTellsOfAListenerThatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, func(c *Config) { c.Stock = EndlessStock() })
		if lag := s.waiting(); lag != "0" {
			t.Errorf("lag %s before the first order", lag)
		}
		chaos := StartChaos(s)
		defer func() { _ = chaos.Release(context.Background()) }()
		release := make(chan struct{})
		defer close(release)
		s.Signals.Audit.Subscribe(func(context.Context, AuditEntry) error { <-release; return nil }, signals.Key("copy"))
		for n := range 1200 {
			if _, err := s.Place(t.Context(), order(fmt.Sprint(n+1))); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if lag := s.waiting(); !strings.Contains(lag, "fraud-check 1,00") || !strings.Contains(lag, "audit/copy 1,200") || strings.Contains(lag, "inventory") {
			t.Errorf("lag %s; want that of fraud-check and of audit/copy", lag)
		}
	})
}

func TestShopWithAnAudienceStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second+time.Millisecond)
		defer cancel()
		said, s, took := runLive(t, ctx, Live{Seed: 1, Speed: 1, Forever: true}, 80)
		if took < 100*time.Second || !strings.Contains(said, "01:40  ") {
			t.Errorf("it closed after %v", took)
		}
		if !strings.Contains(said, "top country") {
			t.Error("no summary after the story")
		}
		if s.Orders() < 2000 {
			t.Errorf("%d orders in 100 seconds", s.Orders())
		}
	})
}

func TestShopEndsAfterItsOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, speed := range []Speed{1, MaxSpeed} {
			_, s, took := runLive(t, t.Context(), Live{Seed: 1, Speed: speed, Orders: 100, Forever: true}, 0)
			if s.Accepted(FromGenerator) != 100 || s.Refused() != 0 {
				t.Errorf("speed %v: %d orders, %d refused, want 100", speed, s.Orders(), s.Refused())
			}
			if speed == MaxSpeed && took != 0 {
				t.Errorf("at full speed it took %v", took)
			}
		}
	})
}
