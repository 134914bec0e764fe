package shop

import (
	"context"
	"errors"
	"fmt"
	"io"

	"example.com/signals/examples/internal/english"
)

// Replay runs the books of a real shop through this one.
type Replay struct {
	Shop   *Shop
	Input  *Input
	Speed  Speed
	Screen *Screen
	Errors io.Writer // gets one line for each malformed row

	// AtOnce is how many invoices are placed at the same time; 1 if it is less.
	// They are begun in the order of the file.
	AtOnce int
	// Known, if not nil, is asked about each invoice in the order of the file.
	// One that the shop has already is not placed; an error ends the replay.
	Known func(*Invoice) (bool, error)
}

// Replayed is how a replay went.
type Replayed struct {
	Lines       int  // rows that were taken in
	Known       int  // rows of invoices that the shop had already
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

// Run replays the file up to its end or until ctx ends. What was begun is
// finished when it returns. An error means that the file could not be read to the
// end, or that Known had one.
func (r *Replay) Run(ctx context.Context) (Replayed, error) {
	crew := newCrew(r)
	progress := newProgress(r.Screen, r.Input)
	err := r.hand(ctx, crew, progress)
	done := crew.leave()
	if e, ok := errors.AsType[*endError](err); ok {
		err = fmt.Errorf("%w, after %s", e.error, english.Plural(done.Known+done.Lines+done.Malformed, "line"))
	}
	progress.end(&done, err)
	return done, err
}

// endError is why the rest of a file cannot be read.
type endError struct{ error }

// hand reads the file and hands it to the crew.
func (r *Replay) hand(ctx context.Context, crew *crew, progress *progress) error {
	// Reading has its own goroutine: a read from a terminal or a pipe cannot
	// be interrupted, not the first one either, and Ctrl-C must not wait for it.
	batches := make(chan batch, 16)
	stop := make(chan struct{})
	defer close(stop)
	go readInvoices(r.Input, batches, stop)

	pace := NewPacer(r.Speed)
	interrupted := func(d *Replayed) { d.Interrupted = true }
	for {
		var b batch
		select {
		case <-ctx.Done():
			crew.count(interrupted)
			return nil
		case b = <-batches:
		}
		switch {
		case b.unfit != nil:
			return r.Input.Explain(b.unfit)
		case b.bad != nil:
			crew.count(func(d *Replayed) {
				d.Malformed++
				r.report(d.Malformed, b.bad)
			})
			continue
		case errors.Is(b.end, io.EOF):
			return nil
		case b.end != nil:
			return &endError{r.Input.Explain(b.end)}
		}
		known := false
		if r.Known != nil {
			var err error
			if known, err = r.Known(b.invoice); err != nil {
				return err
			}
		}
		switch {
		case known:
			crew.count(func(d *Replayed) { d.Known += len(b.invoice.Lines) })
		case pace.Wait(ctx, b.invoice.Time) != nil || !crew.place(ctx, b.invoice):
			crew.count(interrupted)
			return nil
		}
		crew.count(progress.show)
	}
}

func (r *Replay) report(malformed int, bad *RowError) {
	switch {
	case malformed <= maxReported:
		fmt.Fprintf(r.Errors, "shop: %v; skipped\n", bad)
	case malformed == maxReported+1:
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
			// Of a file that breaks off, the last invoice may be a part of one.
			if errors.Is(err, io.EOF) {
				if v := group.Flush(); v != nil && !send(batch{invoice: v}) {
					return
				}
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
