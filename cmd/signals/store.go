package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
)

func newStore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Check, export, import or read an event store in a SQLite file",
		Long: `Check, export, import or read an event store in a SQLite file, made by package
eventstore/sqlite. One process at a time can have a store open: end the program
that uses it, or look at a copy made with its Backup. Only import makes a file that
is not there. The flags for inspectors mean nothing here.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStoreCheck(), newStoreExport(), newStoreImport(), newStoreTail())
	return cmd
}

// noArgs is for a command that only has others.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s %q: want check, export, import or tail", cmd.CommandPath(), args[0])
	}
	return nil
}

// oneFile is the Args of the commands on a store.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one FILE, not %d arguments: %s", len(args), cmd.UseLine())
	}
	return nil
}

// withStore opens the store in a file, which must be there unless it may be
// made, and closes it after do.
func withStore(ctx context.Context, file string, make bool, do func(*eventstore.Store) error) (err error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && make:
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no such file; a store is made by the program that uses it, or by import", file)
	case err != nil:
		return err
	case info.Size() == 0 && !make:
		return fmt.Errorf("%s: it is empty, and no event store", file)
	case info.Size() > 0 && !info.IsDir():
		if err := mustBeStore(ctx, file); err != nil {
			return err
		}
	}
	logger := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(file, sqlite.Logger(logger))
	if errors.Is(err, sqlite.ErrLocked) {
		return fmt.Errorf("%w: end the program that uses it, or look at a back-up of it", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	store := eventstore.New(db, eventstore.Logger(logger))
	defer func() { err = errors.Join(err, store.Close(context.WithoutCancel(ctx))) }()
	return do(store)
}
