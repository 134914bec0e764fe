package shop

import "testing"

func TestARestoredShopIsAsItWas(t *testing.T) {
	s := opened(t, func(c *Config) { c.Stock, c.Ledger = EndlessStock(), NoLedger{} })
	lines := []Line{{Code: "a", Quantity: 2, Price: money(t, "1.5")}}
	s.Restore(t.Context(), Order{ID: "1", Source: FromFile, Customer: "7", Lines: lines})
	s.RestoreCancellation(t.Context(), Cancellation{ID: "C1", Order: "1", Customer: "7", Lines: []Line{{Code: "a", Quantity: -2, Price: money(t, "1.5")}}})
	closed(t, s)
	if diff := s.Reconcile(); diff != nil {
		t.Error(diff)
	}
	if got := s.Books.Totals(); got.Lines != 2 || got.Invoices != 2 || got.Cancellations != 1 || got.Customers != 1 || s.Orders() != 1 || s.Cancellations() != 1 {
		t.Errorf("%+v, %d orders, %d cancellations", got, s.Orders(), s.Cancellations())
	}
}
