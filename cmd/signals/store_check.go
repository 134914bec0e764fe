package main

import (
	"fmt"

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
