package postgres

import (
	"strconv"
	"strings"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// A notification on the channel that is named as the schema is "KIND TELLER
// REST". TELLER is the instance that tells its own watchers by itself, and so
// does not want to hear of it.
const (
	notifyEvents = "events" // REST: the head
	notifyKey    = "key"    // REST: the key of a durable listener
	notifyFree   = "free"   // REST: the key of a lease that was given back

	nobody = "-" // the teller of a transaction of the caller
)

// queueNotify adds a notification, which the server sends at the commit, to a
// batch of statements.
func (db *DB) queueNotify(b *pgx.Batch, kind, teller, rest string) {
	b.Queue("SELECT pg_notify($1, $2)", db.schema, kind+" "+teller+" "+rest)
}

// notified handles a notification. It reports whether a lease has become free.
func (s *session) notified(conn *pgx.Conn, payload string) (free bool, err error) {
	kind, rest, _ := strings.Cut(payload, " ")
	teller, rest, ok := strings.Cut(rest, " ")
	if !ok || teller == s.db.instance {
		return false, nil
	}
	switch kind {
	case notifyEvents:
		head, err := strconv.ParseUint(rest, 10, 64)
		if err != nil {
			return false, nil //nolint:nilerr // somebody else uses the channel
		}
		return false, s.catchUp(conn, eventstore.Position(head))
	case notifyKey:
		s.tell(eventstore.Notice{Key: rest})
	case notifyFree:
		s.tell(eventstore.Notice{Key: rest})
		return true, nil
	}
	return false, nil
}
