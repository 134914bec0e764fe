package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"example.com/signals/eventstore"
)

func newStoreExport() *cobra.Command {
	var file, keys string
	var noKeys bool
	var after uint64
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the events as lines of JSON",
		Long: `Write the events as lines of JSON, with the identity of the store, positions,
versions and times: what import reads. Checkpoints, dead letters and snapshots are
not in it; a copy made with Backup has them.

The keys of encrypted subjects are not in it either, and without them what is
encrypted can never be read again. Where there are any, --keys writes them to a
file of their own, or --no-keys says that the copy is meant to be without. Who has
that file and an export can read what is encrypted, also of those who are forgotten
later: keep the two apart, and destroy the file when there is a newer one.

A file is there when it is whole: a run that fails, or is interrupted, leaves none
(one that is killed leaves FILE.part). To go on after an export that ended at
position N, give --after N, and append to what there is. It says N on standard
error.`,
		Example: `  signals store export orders.db -o orders.jsonl --keys orders.keys
  signals store export orders.db --no-keys --after 120000 >> orders.jsonl`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case keys != "" && noKeys:
				return errors.New("--keys and --no-keys: want one of them")
			case keys == "-":
				return errors.New("--keys -: want the name of a file, apart from the events")
			case keys != "" && keys == file:
				return fmt.Errorf("--keys %s: want another file than that of the events", keys)
			}
			return withStore(cmd.Context(), args[0], false, func(s *eventstore.Store) error {
				if err := exportable(cmd.Context(), s, args[0], eventstore.Position(after), keys != "" || noKeys); err != nil {
					return err
				}
				return export(cmd, s, file, keys, eventstore.Position(after))
			})
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "-", "the file to write, which must not be there; - is standard output")
	cmd.Flags().Uint64Var(&after, "after", 0, "only the events after this position")
	cmd.Flags().StringVar(&keys, "keys", "", "the file to write the keys of encrypted subjects to, all of them; it must not be there")
	cmd.Flags().BoolVar(&noKeys, "no-keys", false, "leave the keys of encrypted subjects out: what is encrypted reads as erased in a copy")
	return cmd
}

// exportable returns why the store is not exported.
func exportable(ctx context.Context, s *eventstore.Store, file string, after eventstore.Position, keysToo bool) error {
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	if after > head {
		return fmt.Errorf("--after %d: the last event is at position %d", after, head)
	}
	if keysToo {
		return nil
	}
	n, err := s.ExportKeys(ctx, io.Discard)
	if err == nil && n > 0 {
		err = fmt.Errorf("%s has %s with which events are encrypted; a copy without them can never read those: write the keys with --keys KEYFILE too, or leave them out with --no-keys", file, plural(n, "key"))
	}
	return err
}

// export writes the events, and then the keys: no event is in it whose key is not.
func export(cmd *cobra.Command, s *eventstore.Store, file, keys string, after eventstore.Position) (err error) {
	out, secret := cmd.OutOrStdout(), (*newFile)(nil)
	if keys != "" {
		if secret, err = makeFile(keys); err != nil {
			return err
		}
		defer secret.discard()
	}
	if file != "-" {
		f, err := makeFile(file)
		if err != nil {
			return err
		}
		defer f.discard()
		last, err := s.Export(cmd.Context(), f, after)
		if err == nil {
			err = f.keep()
		}
		if err != nil {
			return fmt.Errorf("%w; nothing is left of the export", err)
		}
		if err := told(cmd, "exported", last); err != nil {
			return err
		}
	} else {
		last, err := s.Export(cmd.Context(), out, after)
		if err != nil {
			return fmt.Errorf("exported up to position %d: %w; cut off what is written after that event, and append what --after %d gives", last, err, last)
		}
		if err := told(cmd, "exported", last); err != nil {
			return err
		}
	}
	if secret == nil {
		return nil
	}
	n, err := s.ExportKeys(cmd.Context(), secret)
	if err == nil {
		err = secret.keep()
	}
	if err != nil {
		return fmt.Errorf("the events are exported, but not the keys: %w", err)
	}
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "and %s, to %s: whoever has both can read what is encrypted\n", plural(n, "key"), shown(clean(keys)))
	return err
}

// told says how far it came.
func told(cmd *cobra.Command, what string, last eventstore.Position) error {
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s up to position %d\n", what, last)
	return err
}
