package durable

import (
	"fmt"

	"example.com/signals/examples/internal/shop"
)

// region resume

// resume goes through a file beside what the store has of it. Where a run was
// killed there are gaps: of the invoices that were under way some are on the disk,
// and some are not. No file tells where to go on, only the events themselves.
type resume struct {
	file   string
	pieces []piece // what the store has and the file has not shown yet
	after  int     // the last line of the file that the store has, so far
}

// known is asked about every invoice of the file, in order: does the store have it?
// A store that was filled from another file is told by the first difference, before
// anything of this one is mixed with it.
func (r *resume) known(v *shop.Invoice) (bool, error) {
	if len(r.pieces) == 0 || r.pieces[0].First > v.Span.Last {
		if v.Span.First <= r.after {
			return false, r.unlike(v.Span, v.No)
		}
		return false, nil
	}
	p := r.pieces[0]
	if p.Span != v.Span || p.sum != sum(v.No, v.Customer, v.Country, v.Time.Unix(), v.Lines) {
		return false, r.unlike(v.Span, v.No)
	}
	r.pieces, r.after = r.pieces[1:], p.Last
	return true, nil
}

// end is asked at the end of the file.
func (r *resume) end() error {
	if len(r.pieces) == 0 {
		return nil
	}
	p := r.pieces[0]
	return fmt.Errorf("the store has invoice %q of lines %d to %d, which %s does not have: it was filled from another file; give another directory",
		p.no, p.First, p.Last, r.file)
}

// endregion

func (r *resume) unlike(at shop.Span, no string) error {
	return fmt.Errorf("invoice %q at lines %d to %d of %s is not what the store has there: it was filled from another file; give another directory",
		no, at.First, at.Last, r.file)
}
