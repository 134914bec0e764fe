package eventstore

import (
	"context"
	"fmt"
	"strings"
)

// HistoryError says that a durable listener's checkpoint is of another history
// than the store: an older copy has taken the store's place, and perhaps went on
// differently, or it is another store. A listener that went on would leave
// events out, so it ends with this error, each time until the store has the
// event of the checkpoint again. Wait returns it too, and Check tells of it.
//
// If the store is the wrong one, put the right one back: the listener goes on.
// If this is to be the history from now on, DeleteCheckpoint and Listen again,
// or Listen with a new key; what the listener has made of events that
// are not there any more is the caller's to clear away.
type HistoryError struct {
	Key      string   // of the listener
	Position Position // of its checkpoint
	Identity string   // of the store that the checkpoint is of; "" if it does not say
	EventID  string   // of the event there; "" if the checkpoint does not say

	Head          Position // the store's last position
	FoundIdentity string   // of the store
	FoundID       string   // of the event at Position; "" if the store ends before
}

// Error names the key, the position, what was expected there and what was
// found, and what to do.
func (e *HistoryError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, foreignBegins+"%d", e.Key, e.Position)
	if e.EventID != "" {
		fmt.Fprintf(&b, ", event %q of history %s", e.EventID, e.Identity)
	}
	if e.FoundID == "" {
		fmt.Fprintf(&b, ", but the store's last event at %d, of history %s", e.Head, e.FoundIdentity)
	} else {
		fmt.Fprintf(&b, ", but the store has event %q of history %s there", e.FoundID, e.FoundIdentity)
	}
	b.WriteString(": the store is an older copy, or another one; put the right one back, or delete the checkpoint to begin anew, or use a new key")
	return b.String()
}

// foreignBegins is how a HistoryError begins, and how it did before checkpoints
// had the id of an event.
const foreignBegins = "eventstore: listener %q: its checkpoint is at "

// foundForeign reports whether a checkpoint that does not say of which history it
// is was once found to be beyond the head. The head may have passed it since, so
// that remains. One that says it is looked at anew.
func foundForeign(c Checkpoint) bool {
	return c.EventID == "" && strings.HasPrefix(c.Stopped, fmt.Sprintf(foreignBegins, c.Key))
}

// mark says of which history a position is.
type mark struct {
	at       Position
	identity string // of the store; "" at 0
	id       string // of the event there; "" at 0
}

// markAt returns what is at that position now, with the head: an empty id if the
// store ends before.
func (s *Store) markAt(ctx context.Context, p Position) (m mark, head Position, err error) {
	if p == 0 {
		head, err = s.backend.Head(ctx)
		return mark{}, head, err
	}
	m.at = p
	if m.identity, err = s.backend.Identity(ctx); err != nil {
		return m, 0, err
	}
	page, err := s.backend.Page(ctx, PageRequest{Query: All(), After: p - 1, Until: p, Limit: 1, MaxBytes: 1})
	if err != nil {
		return m, 0, err
	}
	for _, r := range page.Events {
		m.id = r.ID
	}
	return m, page.Head, nil
}

// stay is the Move that leaves a checkpoint where it is.
func (c Checkpoint) stay(stopped string) Move {
	return Move{Key: c.Key, From: c.Position, To: c.Position, Stopped: stopped, Identity: c.Identity, EventID: c.EventID}
}

// sameHistory returns what is at the position of a checkpoint, with the head, or a
// *HistoryError if it is not what the checkpoint says.
func (s *Store) sameHistory(ctx context.Context, c Checkpoint) (found mark, head Position, err error) {
	found, head, err = s.markAt(ctx, c.Position)
	if err != nil || c.Position == 0 {
		return found, head, err
	}
	if found.id == "" || c.EventID != "" && (c.EventID != found.id || c.Identity != found.identity) {
		err = &HistoryError{
			Key: c.Key, Position: c.Position, Identity: c.Identity, EventID: c.EventID,
			Head: head, FoundIdentity: found.identity, FoundID: found.id,
		}
	}
	return found, head, err
}
