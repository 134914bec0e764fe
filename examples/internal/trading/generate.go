package trading

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/trading/feedgen"
	"example.com/signals/examples/internal/trading/itch"
)

// generate writes an invented day to a file. What could not be finished is
// removed, so that nobody takes it for a whole day.
func generate(ctx context.Context, opts options, env Env) (int, error) {
	if opts.file == "-" {
		code, err := writeDay(ctx, opts, env.Stdout)
		if code == ExitInterrupted {
			fmt.Fprintln(env.Stderr, "trading: interrupted; what is written is no whole day")
		}
		return code, err
	}
	f, err := os.Create(opts.file)
	if err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", opts.file, bare(err))
	}
	code, err := writeDay(ctx, opts, f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if info, statErr := os.Stat(opts.file); (err != nil || code != ExitOK) && statErr == nil && info.Mode().IsRegular() {
		os.Remove(opts.file)
	}
	if err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", opts.file, bare(err))
	}
	if code == ExitInterrupted {
		fmt.Fprintf(env.Stderr, "trading: interrupted; %s is removed\n", opts.file)
		return code, nil
	}
	fmt.Fprintf(env.Stdout, "%s in %s\n", english.Plural(opts.generate, "message"), opts.file)
	return code, nil
}

func writeDay(ctx context.Context, opts options, to io.Writer) (int, error) {
	out := bufio.NewWriterSize(to, 1<<18)
	packed := io.WriteCloser(nopCloser{out})
	if strings.HasSuffix(opts.file, ".gz") {
		packed = gzip.NewWriter(out)
	}
	day := feedgen.New(feedgen.Config{Messages: opts.generate, Stocks: opts.stocks, Seed: opts.seed})
	var m itch.Message
	frame := make([]byte, 0, 2+itch.MaxSize)
	for n := 0; ; n++ {
		if n%lookEvery == 0 && ctx.Err() != nil {
			return ExitInterrupted, nil
		}
		if err := day.Next(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, err
		}
		frame = m.AppendFrame(frame[:0])
		if _, err := packed.Write(frame); err != nil {
			return 0, err
		}
	}
	return ExitOK, errors.Join(packed.Close(), out.Flush())
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
