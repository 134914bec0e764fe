package trading

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/trading/itch"
)

// secondPass is how long the latencies are measured after a replay at full speed.
const secondPass = 10 * time.Second

// replay runs a file through the engine.
func replay(ctx context.Context, opts options, env Env) (int, error) {
	in, err := openInputUnless(ctx, opts.replay)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	e, url, stop, err := newEngine(opts, env.Stderr)
	if err != nil {
		return 0, err
	}
	defer stop()
	if url != "" && !opts.json {
		fmt.Fprintf(env.Stdout, "The signals at work: %s\n", url)
	}
	reader := itch.NewReader(in.until(ctx), opts.lenient)
	run, err := e.Feed(ctx, reader, Pace{Speed: opts.speed})
	if closeErr := closed(e); err == nil {
		err = closeErr
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0, fmt.Errorf("%s: the gzip file is cut off: %w", in.name, err)
	case err != nil:
		return 0, fmt.Errorf("%s: %w", in.name, err)
	}
	m := measure(e, run, 0)
	interrupted := run.Interrupted
	if opts.json {
		err = writeJSON(env.Stdout, &m)
		if m.Books.Inconsistent > 0 {
			fmt.Fprintf(env.Stderr, "trading: %s: %s contradicted those before\n", in.name, english.Plural(m.Books.Inconsistent, "message"))
		}
	} else {
		if opts.speed == 0 && in.again && !interrupted && run.Messages > 0 {
			interrupted, err = m.secondPass(ctx, opts)
		}
		m.write(env.Stdout) // what the first pass found is worth it without the second
	}
	if err != nil {
		return 0, err
	}
	if s := reader.Skipped(); s.Total() > 0 {
		fmt.Fprintf(env.Stderr, "trading: %s: skipped %s: %d unknown, %d of a wrong size, %d out of order, %d damaged, %d cut off at the end\n",
			in.name, english.Plural(s.Total(), "message"), s.Unknown, s.WrongSize, s.OutOfOrder, s.Damaged, s.Truncated)
	}
	if opts.plot != "" {
		if err := env.Plot(opts.plot, m); err != nil {
			return 0, opts.undrawn(err)
		}
	}
	if interrupted {
		fmt.Fprintln(env.Stderr, "trading: interrupted; this is the summary so far")
		return ExitInterrupted, nil
	}
	return ExitOK, nil
}

// secondPass measures the latencies at half the rate that was reached.
func (m *Measurement) secondPass(ctx context.Context, opts options) (interrupted bool, err error) {
	in, err := openInput(opts.replay)
	if err != nil {
		return false, err
	}
	defer in.Close()
	e, _, stop, err := newEngine(options{}, io.Discard)
	if err != nil {
		return false, err
	}
	defer stop()
	rate := m.Run.Throughput() / 2
	src := &some{itch.NewReader(in.until(ctx), opts.lenient), int64(rate * secondPass.Seconds())}
	run, err := e.Feed(ctx, src, Pace{Rate: rate})
	if err := errors.Join(err, closed(e)); err != nil {
		return false, fmt.Errorf("%s, at half the rate: %w", in.name, err)
	}
	second := measure(e, run, rate)
	m.Rate, m.ToBook, m.ToOrder, m.Chain = second.Rate, second.ToBook, second.ToOrder, second.Chain
	return run.Interrupted, nil
}

// some is the beginning of a source.
type some struct {
	Source
	left int64
}

func (s *some) Next(m *itch.Message) error {
	if s.left == 0 {
		return io.EOF
	}
	s.left--
	return s.Source.Next(m)
}
