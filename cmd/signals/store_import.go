package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"example.com/signals/eventstore"
)

func newStoreImport() *cobra.Command {
	var file, keys string
	var noKeys bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take over events that export has written",
		Long: `Take over events that export has written, with their positions, versions, times,
and, into a new store, the identity. What is there already is compared and passed
over, so after an error the same import goes on where it was. Events of another
store, and a gap, are refused.

A file that is not there is made, once the first event has been read and can be
imported; what is no export leaves no file. What was imported before an error, or
before it was interrupted or killed, stays.

With --keys, the keys of encrypted subjects that export has written are taken over
too, before the events. A key that was forgotten here stays forgotten.`,
		Example: `  signals store import copy.db -i orders.jsonl --keys orders.keys
  signals store export orders.db --no-keys | signals store import copy.db --no-keys`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if keys != "" && noKeys {
				return errors.New("--keys and --no-keys: want one of them")
			}
			in, secret := cmd.InOrStdin(), io.Reader(nil)
			for name, to := range map[string]*io.Reader{file: &in, keys: &secret} {
				if name == "-" || name == "" {
					continue
				}
				f, err := os.Open(name)
				if err != nil {
					return err
				}
				defer func() { _ = f.Close() }()
				*to = f
			}
			events := io.Reader(untilEnd{cmd.Context(), in})
			if _, err := os.Stat(args[0]); errors.Is(err, fs.ErrNotExist) {
				if events, err = begins(cmd.Context(), events); err != nil {
					return fmt.Errorf("%w; nothing is imported, and %s is not made", err, args[0])
				}
			}
			return withStore(cmd.Context(), args[0], true, func(s *eventstore.Store) error {
				return imports(cmd, s, events, secret, noKeys)
			})
		},
	}
	cmd.Flags().StringVarP(&file, "input", "i", "-", "the file to read; - is standard input")
	cmd.Flags().StringVar(&keys, "keys", "", "the file with the keys that export --keys has written")
	cmd.Flags().BoolVar(&noKeys, "no-keys", false, "it is all right that what is encrypted reads as erased")
	return cmd
}

// begins returns the events again, when it has seen that a new store can be made
// of them: by the first line, and the first event if there is any.
func begins(ctx context.Context, in io.Reader) (io.Reader, error) {
	r := bufio.NewReader(in)
	var first bytes.Buffer
	if start, _ := r.Peek(len(exportBegins)); string(start) == exportBegins {
		for range 2 {
			line, err := r.ReadBytes('\n')
			first.Write(line)
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
		}
	} else if _, err := io.CopyN(&first, r, 100); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	} else if first.Len() > 0 {
		first.WriteByte('\n') // what is no export may have a line of any length
	}
	memory := eventstore.New(eventstore.Memory())
	defer func() { _ = memory.Close(context.WithoutCancel(ctx)) }()
	if _, err := memory.Import(ctx, bytes.NewReader(first.Bytes())); err != nil && !errors.Is(err, eventstore.ErrKeysMissing) {
		return nil, err
	}
	return io.MultiReader(&first, r), nil
}

const exportBegins = `{"format":`

// imports takes over the keys, if there are any, and the events.
func imports(cmd *cobra.Command, s *eventstore.Store, events, keys io.Reader, noKeys bool) error {
	ctx := cmd.Context()
	if keys != nil {
		n, err := s.ImportKeys(ctx, keys)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "imported %s, not counting what was known here\n", plural(n, "key")); err != nil {
			return err
		}
	}
	last, err := s.Import(ctx, events)
	switch {
	case errors.Is(err, eventstore.ErrKeysMissing) && noKeys:
	case errors.Is(err, eventstore.ErrKeysMissing):
		return fmt.Errorf("imported up to position %d: %w; the same import with --keys KEYFILE does that, and with --no-keys it is all right so", last, err)
	case err != nil:
		return fmt.Errorf("imported up to position %d: %w; what is imported stays, and the same import goes on after it", last, err)
	}
	return told(cmd, "imported", last)
}

// untilEnd reads until the context ends, also if nothing comes any more.
type untilEnd struct {
	ctx context.Context
	r   io.Reader
}

func (u untilEnd) Read(p []byte) (int, error) {
	type answer struct {
		n   int
		err error
	}
	buf, done := make([]byte, len(p)), make(chan answer, 1)
	go func() {
		n, err := u.r.Read(buf)
		done <- answer{n, err}
	}()
	select {
	case a := <-done:
		return copy(p, buf[:a.n]), a.err
	case <-u.ctx.Done():
		return 0, u.ctx.Err()
	}
}
