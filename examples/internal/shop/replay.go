package shop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Replay runs the books of a real shop through this one.
type Replay struct {
	Shop   *Shop
	Input  *Input
	Speed  Speed
	Screen *Screen
	Errors io.Writer // gets one line for each malformed row
}

// Replayed is how a replay went.
type Replayed struct {
	Lines       int  // rows that were taken in
	Malformed   int  // rows that were skipped
	Refused     int  // invoices that the chain refused
	Interrupted bool // the context ended before the file
}

// maxReported bounds the lines about malformed rows: a file that is not what
// its header says would have millions.
const maxReported = 100

// batch is what the reading goroutine hands over: one of the four.
type batch struct {
	invoice *Invoice
	bad     *RowError
	end     error // io.EOF, or why the rest cannot be read
	unfit   error // why it is no such file
}

// Run replays the file up to its end or until ctx ends. An error means that
// the file could not be read to the end.
func (r *Replay) Run(ctx context.Context) (done Replayed, err error) {
	// Reading has its own goroutine: a read from a terminal or a pipe cannot
	// be interrupted, not the first one either, and Ctrl-C must not wait for it.
	batches := make(chan batch, 16)
	stop := make(chan struct{})
	defer close(stop)
	go readInvoices(r.Input, batches, stop)

	pace := NewPacer(r.Speed)
	progress := newProgress(r.Screen, r.Input)
	defer func() { progress.end(&done, err) }()
	for {
		var b batch
		select {
		case <-ctx.Done():
			done.Interrupted = true
			return done, nil
		case b = <-batches:
		}
		switch {
		case b.unfit != nil:
			return done, r.Input.Explain(b.unfit)
		case b.bad != nil:
			r.report(&done, b.bad)
		case errors.Is(b.end, io.EOF):
			return done, nil
		case b.end != nil:
			return done, fmt.Errorf("%w, after %d lines", r.Input.Explain(b.end), done.Lines+done.Malformed)
		default:
			if pace.Wait(ctx, b.invoice.Time) != nil {
				done.Interrupted = true
				return done, nil
			}
			r.place(ctx, &done, b.invoice)
			progress.show(&done)
		}
	}
}

// place runs the chain for one invoice. Once begun it is finished, Ctrl-C or
// not: half an invoice would be a loss.
func (r *Replay) place(ctx context.Context, done *Replayed, v *Invoice) {
	ctx = context.WithoutCancel(ctx)
	var err error
	if v.Cancels() {
		_, err = r.Shop.PlaceCancellation(ctx, v.Cancellation())
	} else {
		_, err = r.Shop.Place(ctx, v.Order())
	}
	if err != nil {
		done.Refused++
		fmt.Fprintf(r.Errors, "shop: invoice %s was refused: %v\n", printable(v.No, 40), err)
	}
	done.Lines += len(v.Lines)
}

func (r *Replay) report(done *Replayed, bad *RowError) {
	done.Malformed++
	switch {
	case done.Malformed <= maxReported:
		fmt.Fprintf(r.Errors, "shop: %v; skipped\n", bad)
	case done.Malformed == maxReported+1:
		fmt.Fprintf(r.Errors, "shop: more malformed rows from line %d on; from here they are only counted\n", bad.Line)
	}
}

// readInvoices reads until the end of the file or until stop is closed.
func readInvoices(in io.Reader, out chan<- batch, stop <-chan struct{}) {
	send := func(b batch) bool {
		select {
		case out <- b:
			return true
		case <-stop:
			return false
		}
	}
	rows, err := NewRowReader(in)
	if err != nil {
		send(batch{unfit: err})
		return
	}
	var group Invoices
	for {
		row, err := rows.Next()
		var bad *RowError
		switch {
		case errors.As(err, &bad):
			if !send(batch{bad: bad}) {
				return
			}
		case err != nil:
			if v := group.Flush(); v != nil && !send(batch{invoice: v}) {
				return
			}
			send(batch{end: err})
			return
		default:
			if v := group.Add(row); v != nil && !send(batch{invoice: v}) {
				return
			}
		}
	}
}

// progress shows how far a replay has come: a bar on a terminal, otherwise a
// line every second.
type progress struct {
	screen *Screen
	input  *Input
	start  time.Time
	next   time.Time
}

func newProgress(screen *Screen, input *Input) *progress {
	now := time.Now()
	p := &progress{screen: screen, input: input, start: now, next: now}
	if !screen.Terminal() {
		p.next = now.Add(time.Second)
	}
	return p
}

func (p *progress) show(done *Replayed) {
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	if p.screen.Terminal() {
		p.next = now.Add(100 * time.Millisecond)
		p.screen.Bar(p.input.Done(), p.text(done, now))
		return
	}
	p.next = now.Add(time.Second)
	percent := ""
	if part := p.input.Done(); part >= 0 {
		percent = fmt.Sprintf("%.0f%%, ", min(part, 1)*100)
	}
	p.screen.Printf("%s%s", percent, p.text(done, now))
}

// end takes the bar away and leaves one last line behind, unless an error
// takes its place.
func (p *progress) end(done *Replayed, err error) {
	p.screen.Bar(0, "")
	if err == nil {
		p.screen.Printf("read %s", p.text(done, time.Now()))
	}
}

func (p *progress) text(done *Replayed, now time.Time) string {
	took := now.Sub(p.start)
	text := fmt.Sprintf("%s lines in %.1f s", group(fmt.Sprint(done.Lines)), took.Seconds())
	if took > 0 {
		text += fmt.Sprintf(" (%s lines/s)", group(fmt.Sprintf("%.0f", float64(done.Lines)/took.Seconds())))
	}
	if done.Malformed > 0 {
		text += fmt.Sprintf(", %s malformed", group(fmt.Sprint(done.Malformed)))
	}
	return text
}
