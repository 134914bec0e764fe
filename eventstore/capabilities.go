package eventstore

import (
	"context"
	"time"
)

// Checkpoints is what a backend has for durable listeners: for each key, how
// far it has come, and its dead letters. They are tables beside the events, so
// that they commit with them and, for projections, with the user's read model.
// Every change of a key is followed by a Notice with that Key. Keys, and the
// texts in moves, are UTF-8 without NUL, a key at most MaxName bytes.
//
// # How a Store uses it
//
// Listen calls OpenKey at once, with 0, the given position, or the head, so
// that a new key's beginning is fixed when Listen returns. A goroutine then
// waits for the key's Lease (that is standing by) and reads where the
// checkpoint is. It reads pages, or what followers share, with at most one page
// ahead; hands each event to the listener; and calls Advance after a page, before
// it goes idle, and at least every second while it is busy: To is the last
// position that is finished, including those that its query passed over; if it is
// only those, at most once a second. What
// succeeded is called again only if the process ended before that Advance. Each
// Advance says of which history To is, by the store's identity and the id of the
// event there; a Store that finds another event, or none, at the position of a
// checkpoint does not go on from it (HistoryError). An
// event that has failed for the last time is a Dead of the Advance that passes
// it, at once; so is Stopped. ErrMoved, ErrOutcomeUnknown or a lost lease end the
// round: it stands by again and reads the checkpoint anew.
//
// Redelivered dead letters are taken when a Notice names the key and when a
// listener begins: those that are Requested, by position, between two pages;
// an Advance with From = To settles or replaces them.
//
// A projection's events are applied in the transaction of one Advance, several
// at a time while it catches up. If one fails, all of them are rolled back; those
// before it are applied again, and committed without it; it is then tried alone,
// and its dead letter is an Advance without apply. The backend's package makes a
// projection of a listener with the option InTransaction, whose function gets
// the tx of Advance and one event.
//
// Wait looks at Keys and then waits for a Notice of the key; it looks again
// every second, as notices about keys of another process may be missing. A listener
// with RebuildOf looks at the old key's checkpoint before each page: up to
// there, the old key has handled the events, and its context says so.
type Checkpoints interface {
	// OpenKey returns the key's checkpoint, and makes it at start if there is
	// none: durable before it returns, one winner if several call.
	OpenKey(ctx context.Context, key string, start Position) (Checkpoint, error)

	// Keys returns the checkpoints of these keys, of all if none is given,
	// ordered by key. Unknown ones are left out.
	Keys(ctx context.Context, keys ...string) ([]Checkpoint, error)

	// DeleteKey removes the checkpoint and the dead letters of a key, if there
	// are any.
	DeleteKey(ctx context.Context, key string) error

	// Advance commits the move, durably and in one transaction, and before it,
	// in the same transaction, what apply does. First it compares the
	// checkpoint with m.From, holding it against other writers until the
	// commit; if it is elsewhere, or gone, the error wraps ErrMoved and apply
	// is not called. This alone makes a projection exactly once, whatever became
	// of the lease.
	//
	// tx is what the backend's Project hands out (*sqlite.Tx, pgx.Tx). apply is
	// called once; its error or panic rolls back and is returned as it is, and
	// a rolled back Advance has changed nothing. A backend whose users have no
	// tables in it answers ErrUnsupported to an apply that is not nil. ctx is
	// as in Append: it may end the waiting, not the commit; apply gets it with
	// what marks it as inside of the transaction.
	Advance(ctx context.Context, m Move, apply func(ctx context.Context, tx any) error) error

	// DeadLetters returns up to limit dead letters of the key with a position
	// after that one, by position.
	DeadLetters(ctx context.Context, key string, after Position, limit int) ([]DeadLetter, error)

	// Redeliver marks dead letters of the key as Requested; all of them if no
	// positions are given. A position that has no dead letter is an error that
	// names it, and nothing is changed.
	Redeliver(ctx context.Context, key string, positions ...Position) error

	// Discard removes dead letters of the key; otherwise as Redeliver.
	Discard(ctx context.Context, key string, positions ...Position) error
}

// Checkpoint is where a durable listener stands.
type Checkpoint struct {
	Key      string
	Position Position // it has finished everything up to here
	// Stopped is the failure at which the listener stopped for good, or "". The
	// next Move clears it. A Wait in another process sees it here.
	Stopped string
	Dead    int // number of dead letters
	Updated time.Time
	// Identity and EventID say of which history Position is: the store's
	// identity and the id of the event there, as the last Move gave them. They are
	// empty at 0, of a key that no listener has worked for, and if a program moved it
	// that knew nothing of them; then they get what is there when a listener begins.
	Identity, EventID string
}

// Move is one step of a durable listener.
type Move struct {
	Key      string
	From, To Position // the checkpoint goes from here to there; To may be From
	// Dead are new dead letters, at positions after From; or, up to From, new
	// failures of those that were redelivered: they replace what is there,
	// which is then no longer Requested, and bring back none that was discarded
	// meanwhile.
	Dead    []Dead
	Settled []Position // dead letters that are none any more; some may be gone already
	Stopped string     // see Checkpoint
	// Identity and EventID go into the checkpoint as they are, also if they are
	// empty.
	Identity, EventID string
}

// Dead is a dead letter as a Move stores it: its event is in the store.
type Dead struct {
	Position    Position
	Err         string
	Attempts    int
	First, Last time.Time
}

// DeadLetter is an event that a durable listener could not handle, kept beside
// its checkpoint.
type DeadLetter struct {
	Recorded
	Key         string    // of the listener
	Err         string    // the last failure
	Attempts    int       // calls of the listener with it
	First, Last time.Time // of those
	Requested   bool      // Redeliver has been called: the listener will try it again
}

// Leaser lets one of several listeners with the same key work, while the others
// stand by.
type Leaser interface {
	// Lease waits until no other process or Store has the key's lease, and
	// takes it; or until ctx ends. It is given back by Release, by the
	// end of the process, and by what ends the backend's connection; without
	// clocks, if the backend can (SQLite: a map, as the file has one process;
	// PostgreSQL: session-level advisory locks on one connection for all keys).
	// A lease saves work. Correctness is Advance's comparison.
	Lease(ctx context.Context, key string) (Lease, error)
}

// Lease is a hold on a key.
type Lease interface {
	// Lost is closed when the lease is not, or perhaps not, held any more; also
	// by Release.
	Lost() <-chan struct{}
	// Release gives it back. It may be called again.
	Release()
}

// Snapshot is the state of a model at a position. It is a copy of what the
// events say, and never trusted over them: the Store checks that it is of this
// history by the id of the event at its position, which a restored store that
// went on differently does not have.
type Snapshot struct {
	Name     string   // of the model
	Version  int      // of the state's schema
	Position Position // the state is that after this event
	Identity string   // of the store
	EventID  string   // of the event at Position
	Data     []byte   // the state, encoded
	Sum      []byte   // SHA-256 of all of the above; the Store computes and checks it
	Taken    time.Time
}

// Snapshots is what a backend has for snapshots: one for each name and version.
//
// Load and Decide take the head first, then the snapshot, then the events after
// it up to that head, which is the position that they return: it is the one of
// the head that was read, never one that was read after the events. A snapshot
// with another identity, event, sum or name, or beyond the head, is dropped and
// the state is made from the events. One of another version is left alone: a
// program of that version may be running beside this one. Names are UTF-8
// without NUL, at most MaxName bytes. Names that begin with "eventstore: " are
// the Store's own: what it saves under them may be of position 0, without
// identity, data and sum, and goes with DropSnapshots("") like all others.
type Snapshots interface {
	// SaveSnapshot keeps it instead of the one with that name and version,
	// unless that is of a larger position. It need not be durable at once. (A
	// Store that finds one which it must not trust drops it first.)
	SaveSnapshot(ctx context.Context, s Snapshot) error
	// LoadSnapshot returns it as it was saved, false if there is none.
	LoadSnapshot(ctx context.Context, name string, version int) (Snapshot, bool, error)
	// DropSnapshots removes all of that name, or of every name if it is "": they
	// hold what Forget is to make unreadable.
	DropSnapshots(ctx context.Context, name string) error
}

// KeyStore keeps the keys of Encrypted, one at a time for each subject. Memory,
// sqlite.DB and postgres.DB are KeyStores, with a table beside the events.
//
// Encrypted puts the id of the key before what it encrypts, so a subject that
// was forgotten and comes again has a new key, and its old events stay erased.
// Its nonce is made from key and plaintext, not at random: the same event encoded again
// is the same data, and a retry is no duplicate. Store.Forget calls
// ForgetSubject and then DropSnapshots, since states hold what the events
// said. Subjects are UTF-8 without NUL, at most MaxName bytes.
type KeyStore interface {
	// SubjectKey returns the subject's key, and its id, which goes with what
	// is encrypted with it. It makes one, 32 random bytes, if there is none
	// or the last has been forgotten; durable before it returns, one winner if
	// several call.
	SubjectKey(ctx context.Context, subject string) (id string, key []byte, err error)
	// KeyByID returns the key with that id; ErrErased if it has been forgotten
	// or never was.
	KeyByID(ctx context.Context, id string) ([]byte, error)
	// ForgetSubject destroys the subject's key, overwriting it where it is kept
	// as far as the backend can: durable before it returns. That there is
	// none is no error.
	ForgetSubject(ctx context.Context, subject string) error
}

// KeyMover is a KeyStore whose keys can be taken into another store. It
// remembers which keys have been forgotten, so that an old copy of them does not
// bring them back. A subject may have older keys beside the one that SubjectKey
// returns: KeyByID finds them, and ForgetSubject destroys them all.
type KeyMover interface {
	KeyStore
	// SubjectKeys returns up to limit keys with ids after that one, by id,
	// those that were forgotten among them.
	SubjectKeys(ctx context.Context, after string, limit int) ([]SubjectKey, error)
	// ImportSubjectKeys takes keys over, atomically and durably. A key that is
	// here, or was forgotten here, is passed over; one of a subject that has
	// another here is an older one, as is one that is Older. A forgotten key is
	// destroyed here too, as by ForgetSubject, and remembered. An id that is here
	// with another subject or key is an error, and nothing is changed.
	ImportSubjectKeys(ctx context.Context, keys []SubjectKey) (KeysImported, error)
}

// SubjectKey is a key of a subject, or the id of one that was forgotten.
type SubjectKey struct {
	ID      string
	Subject string // "": it was forgotten
	Key     []byte // 32 bytes; none if it was forgotten
	Older   bool   // the subject has another one, which SubjectKey returns
}

// Forgotten reports whether the key has been forgotten: then only its id is
// left.
func (k SubjectKey) Forgotten() bool { return k.Subject == "" }

// KeysImported is what KeyMover.ImportSubjectKeys has changed.
type KeysImported struct {
	Taken     int // keys that are new here
	Forgotten int // keys that were here, and are no more
}

// Importer is a backend that can take over a history as it is. Export writes
// the identity in its first line and an event in each further one, with its
// position, version and times; Import hands them on in batches, and skips what
// is there already, comparing it, so that an import that was cut off can be
// repeated. The store has then the identity of what it was made from: checkpoints
// and snapshots of it hold.
type Importer interface {
	// Import stores events with the positions, versions and times that they
	// have, atomically and durably. The first must be at the head's position
	// plus one, each version the next of its stream, and no id may be there. An
	// empty store takes on the identity; another one must have it already.
	Import(ctx context.Context, identity string, events []Recorded) error
}

// Checksums is a backend that keeps Recorded.Checksum of each event from the append,
// the import or the transaction that stores it, in the same row, so that Store.Check
// finds what has changed since. It does not compare them when it reads.
type Checksums interface {
	// ChecksumsAfter returns those of up to limit events after that position, one for each, by
	// position and without a gap; none if there are no events after it.
	ChecksumsAfter(ctx context.Context, after Position, limit int) ([]Checksum, error)
}

// Checker is a backend that can verify more than its events show.
type Checker interface {
	// Check looks for damage: pages, indexes, counters, interned names, what
	// refers to what is not there. It joins what it finds; nil if all is well.
	// Store.Check reads all events besides: positions, versions, ids,
	// checksums, checkpoints.
	Check(ctx context.Context) error
}
