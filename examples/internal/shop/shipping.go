package shop

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Shipping is the department that sends parcels, and the one whose label
// printer jams.
type Shipping struct {
	handled *Latency

	mu        sync.Mutex
	parcels   int64             // guarded by mu
	recalled  int64             // guarded by mu
	countries map[string]*Sales // by country; guarded by mu
	jammed    time.Time         // until when; guarded by mu
}

func newShipping(handled *Latency) *Shipping {
	return &Shipping{handled: handled, countries: map[string]*Sales{}}
}

// OnOrder listens to order.accepted.
func (d *Shipping) OnOrder(_ context.Context, o Order) error {
	defer d.handled.Since(o.Accepted)
	d.printLabel()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.parcels++
	d.addLocked(o.Country, o.Lines)
	return nil
}

// OnCancellation listens to order.cancelled.
func (d *Shipping) OnCancellation(_ context.Context, c Cancellation) error {
	defer d.handled.Since(c.Accepted)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.recalled++
	d.addLocked(c.Country, c.Lines)
	return nil
}

// Jam makes the label printer hang for d: the slow listener of the story.
func (d *Shipping) Jam(length time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.jammed = time.Now().Add(length)
}

// printLabel hangs while the printer is jammed. It holds no lock meanwhile:
// whoever wants to know how shipping is doing can ask.
func (d *Shipping) printLabel() {
	d.mu.Lock()
	wait := time.Until(d.jammed)
	d.mu.Unlock()
	if wait > 0 {
		time.Sleep(wait)
	}
}

// addLocked must be called with mu held.
func (d *Shipping) addLocked(country string, lines []Line) {
	c := d.countries[country]
	if c == nil {
		c = &Sales{Name: strings.Clone(country)}
		d.countries[c.Name] = c
	}
	for _, l := range lines {
		c.Pieces += l.Quantity
	}
	c.Revenue = c.Revenue.Add(total(lines))
}

// Countries returns the sales by country.
func (d *Shipping) Countries() map[string]Sales {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[string]Sales, len(d.countries))
	for name, c := range d.countries {
		out[name] = *c
	}
	return out
}
