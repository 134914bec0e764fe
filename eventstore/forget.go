package eventstore

import (
	"context"
	"errors"
	"fmt"
)

// Forget makes what Encrypted has encrypted for the subject unreadable, for
// good: it destroys the subject's key, in the backend and in every KeyStore of
// the store's types, and then drops all snapshots, since states hold what events
// said. The events stay where they are and read as Erased. New events of the
// subject have a new key.
//
// That a subject has no key is no error. After any other error call it again:
// what is done stays done. It returns ErrUnsupported if nobody keeps keys.
// Copies made before (of the keys: backups and what ExportKeys wrote; read
// models, a Load in another goroutine) are not reached; a listener that owns a
// read model can be told by an event of your own. The store remembers which keys
// were forgotten, and ImportKeys brings none of them back. Of keys that are not here
// yet (ErrKeysMissing) it knows nothing: call it after ImportKeys.
func (s *Store) Forget(ctx context.Context, subject string) error {
	ctx = orBackground(ctx)
	if err := s.forget(ctx, subject); err != nil {
		return failed("forget", err)
	}
	return nil
}

func (s *Store) forget(ctx context.Context, subject string) error {
	if subject == "" {
		return errors.New("the subject is empty: say who is to be forgotten")
	}
	if err := checkName("subject", subject); err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	var stores []KeyStore
	if own, ok := s.backend.(KeyStore); ok {
		stores = append(stores, own)
	}
	if s.types != nil {
		stores = append(stores, s.types.erasing...) // the same one again finds nothing to do
	}
	if len(stores) == 0 {
		return fmt.Errorf("keys: %w", ErrUnsupported)
	}
	for _, keys := range stores {
		if err := keys.ForgetSubject(ctx, subject); err != nil {
			return err
		}
	}
	// Keys first: a Load that could still read them has taken its mark before
	// they went, and finds it gone when it has saved (see snapshotMark).
	if snapshots, ok := s.backend.(Snapshots); ok {
		return snapshots.DropSnapshots(ctx, "")
	}
	return nil
}
