package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"example.com/signals/eventstore"
)

func newStoreCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Verify the whole store",
		Long: `Verify the whole store: positions and versions without a gap, ids, the checksum and
the form of each event, checkpoints, dead letters, indexes, and SQLite's own integrity
check. How many events have no checksum is said on standard error.

Exit codes: 0 if all is well, 1 if something is wrong, 2 if it could not be told.`,
		Example: `  signals store check orders.db`,
		Args:    oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return withStore(ctx, args[0], false, func(s *eventstore.Store) error {
				head, err := s.Head(ctx)
				if err != nil {
					return err
				}
				verified, err := s.Verify(ctx)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if verified.WithoutChecksum > 0 {
					// On standard error: nothing is wrong with them.
					_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d events without a checksum: an older version stored them, and whether a byte has changed cannot be told\n",
						verified.WithoutChecksum, verified.Events)
				}
				if err != nil {
					if _, err := fmt.Fprintln(cmd.OutOrStdout(), shown(cleanLines(err.Error()))); err != nil {
						return err
					}
					return errWrong
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: nothing is wrong; the last event is at position %d.\n", shown(clean(args[0])), head)
				return err
			})
		},
	}
}

func newStoreExport() *cobra.Command {
	var file string
	var after uint64
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the events as lines of JSON",
		Long: `Write the events as lines of JSON, with the identity of the store, positions,
versions and times: what import reads. Checkpoints, dead letters, snapshots and
keys of encrypted subjects are not in it; a copy made with Backup has them.

To go on after an export that ended at position N, give --after N, and append
to what there is. It says N on standard error.`,
		Example: `  signals store export orders.db -o orders.jsonl
  signals store export orders.db -after 120000 >> orders.jsonl`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd.Context(), args[0], false, func(s *eventstore.Store) (err error) {
				head, err := s.Head(cmd.Context())
				if err != nil {
					return err
				}
				if eventstore.Position(after) > head {
					return fmt.Errorf("--after %d: the last event is at position %d", after, head)
				}
				out := cmd.OutOrStdout()
				if file != "-" {
					// A file that is there may be the only export of another store.
					f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
					if err != nil {
						return fmt.Errorf("%w; give the name of a file that is not there", err)
					}
					defer func() { err = errors.Join(err, f.Close()) }()
					last, err := s.Export(cmd.Context(), f, eventstore.Position(after))
					return told(cmd, "exported", last, errors.Join(err, f.Sync()))
				}
				last, err := s.Export(cmd.Context(), out, eventstore.Position(after))
				return told(cmd, "exported", last, err)
			})
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "-", "the file to write, which must not be there; - is standard output")
	cmd.Flags().Uint64Var(&after, "after", 0, "only the events after this position")
	return cmd
}

// told says how far it came, also if it failed.
func told(cmd *cobra.Command, what string, last eventstore.Position, err error) error {
	if err != nil {
		return fmt.Errorf("%s up to position %d: %w", what, last, err)
	}
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "%s up to position %d\n", what, last)
	return err
}

func newStoreImport() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take over events that export has written",
		Long: `Take over events that export has written, with their positions, versions, times,
and, into a new store, the identity. What is there already is compared and passed
over, so after an error the same import goes on where it was. Events of another
store, and a gap, are refused. A file that is not there is made.`,
		Example: `  signals store import copy.db -i orders.jsonl
  signals store export orders.db | signals store import copy.db`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in := cmd.InOrStdin()
			if file != "-" {
				f, err := os.Open(file) // before the store is made
				if err != nil {
					return err
				}
				defer func() { _ = f.Close() }()
				in = f
			}
			return withStore(cmd.Context(), args[0], true, func(s *eventstore.Store) error {
				last, err := s.Import(cmd.Context(), untilEnd{cmd.Context(), in})
				return told(cmd, "imported", last, err)
			})
		},
	}
	cmd.Flags().StringVarP(&file, "input", "i", "-", "the file to read; - is standard input")
	return cmd
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
