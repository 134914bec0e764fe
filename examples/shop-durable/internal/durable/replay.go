package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/shop"
)

// replayFile runs a file through a shop whose shelves never empty, and goes on where
// earlier runs have ended.
func (o *options) replayFile(ctx context.Context, screen *shop.Screen, stderr io.Writer) (int, error) {
	in, err := shop.OpenInputUnless(ctx, o.replay)
	switch {
	case err != nil:
		return 0, err
	case in == nil:
		return 0, ctx.Err()
	}
	defer in.Close()
	return o.keep(ctx, stderr, func(ctx context.Context, k *keeper) (int, error) {
		return o.replayInto(ctx, k, in, screen, stderr)
	})
}

func (o *options) replayInto(ctx context.Context, k *keeper, in *shop.Input, screen *shop.Screen, stderr io.Writer) (int, error) {
	finish := context.WithoutCancel(ctx)
	s := shop.New(shop.Config{Stock: shop.EndlessStock(), Ledger: k.ledger, Log: k.log})
	h, err := k.attach(ctx, s, screen)
	if err == nil && h.Live > 0 {
		err = fmt.Errorf("%s has the orders of a live shop; give the replay another directory", k.dir)
	}
	if err != nil {
		return 0, errors.Join(err, shop.Closing(s))
	}
	resume := resume{file: in.Name, pieces: h.Pieces}
	r := shop.Replay{Shop: s, Input: in, Screen: screen, Errors: stderr, AtOnce: o.atOnce, Known: resume.known}
	done, err := r.Run(ctx)
	if err == nil && !done.Interrupted {
		err = resume.end()
	}
	err = errors.Join(err, shop.Closing(s))
	ended := time.Now()
	if err != nil {
		return 0, err
	}
	agreed := s.WriteSummary(screen, true)
	same, err := k.agree(finish, s, screen)
	if err != nil {
		return 0, err
	}
	cost := k.meter.read()
	cost.print(screen)
	if cost.Events > 0 && !done.Interrupted {
		if err := o.compare(ctx, float64(done.Lines)/ended.Sub(cost.First).Seconds(), screen); err != nil {
			return 0, err
		}
	}
	if done.Malformed > 0 {
		fmt.Fprintf(stderr, "shop-durable: skipped %s\n", english.Plural(done.Malformed, "malformed row"))
	}
	switch {
	case done.Interrupted:
		fmt.Fprintln(stderr, "shop-durable: interrupted; these are the totals so far, run it again for the rest")
		return shop.ExitInterrupted, nil
	case !agreed || !same || done.Refused > 0:
		return shop.ExitFailed, nil
	case done.Malformed > 0:
		return shop.ExitMalformed, nil
	}
	return shop.ExitOK, nil
}

// compare replays the file into a shop without a store, and says how much faster
// that is than so many lines a second.
func (o *options) compare(ctx context.Context, durable float64, screen *shop.Screen) error {
	if o.replay == "-" {
		screen.Printf("  standard input cannot be read again, to compare with a replay without a store")
		return nil
	}
	in, err := shop.OpenInput(o.replay)
	if err != nil {
		return err
	}
	defer in.Close()
	silent := slog.New(slog.DiscardHandler)
	s := shop.New(shop.Config{Stock: shop.EndlessStock(), Ledger: shop.NoLedger{}, Log: silent})
	began := time.Now()
	r := shop.Replay{Shop: s, Input: in, Screen: shop.NewScreen(io.Discard, 0), Errors: io.Discard, AtOnce: o.atOnce}
	done, err := r.Run(ctx)
	if err := errors.Join(err, shop.Closing(s)); err != nil {
		return err
	}
	if done.Interrupted {
		screen.Printf("  the same replay without a store was interrupted")
		return nil
	}
	bare := float64(done.Lines) / time.Since(began).Seconds()
	screen.Printf("  %s lines/s; the same replay without a store %s lines/s: with it, it takes %.1f times as long",
		english.Group(int(durable)), english.Group(int(bare)), bare/durable)
	return nil
}

// print says what durability has cost.
func (r reading) print(screen *shop.Screen) {
	if r.Events == 0 {
		screen.Printf("\ndurability: nothing was appended")
		return
	}
	screen.Printf("\ndurability: %s appended in %.1f s, %s a second",
		english.Plural(r.Events, "event"), r.Busy.Seconds(), english.Group(int(float64(r.Events)/r.Busy.Seconds())))
	screen.Printf("  %s to the disk, of %.1f events each on average: events that are appended at the same time go there together",
		english.Plural(max(r.Commits, 1), "commit"), float64(r.Events)/float64(max(r.Commits, 1)))
	screen.Printf("  an append took %s at p50, %s at p99, %s at most, with its wait for the disk",
		short(r.P50), short(r.P99), short(r.Max))
	screen.Printf("  of %.1f s, %.1f s had an append under way; several at once, which add up to %.1f s",
		r.Last.Sub(r.First).Seconds(), r.Busy.Seconds(), r.Waited.Seconds())
}

// short rounds a duration to three digits.
func short(d time.Duration) time.Duration {
	for unit := time.Second; unit >= time.Microsecond; unit /= 10 {
		if d >= unit {
			return d.Round(unit / 100)
		}
	}
	return d
}
