package eventstore

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"example.com/signals"
)

// SnapshotPolicy says when Load and Decide keep a model's state, so that they
// need not begin at the first event: a copy that is cheaper to read, never
// trusted over the events.
//
// A snapshot is used only if it is whole (a checksum), of this version, of this
// store and history (the store's identity, and the event at its position), of
// this query with the names of today, and of a state of the same shape, that is
// with the same fields; else it is dropped, the log says why, and the state is
// made of the events. Whoever changes what Fold does, or an upcast that it
// relies on, raises Version. Programs of two versions may run side by side.
//
// States are kept as JSON. One that would not come back as it is, because of an
// unexported field, say, is refused with an error of the Load that first sees
// it: at the first one of the type in a Store, not when Every has been reached.
// A snapshot that cannot be saved is no error: the log says so.
type SnapshotPolicy struct {
	Every   int    // take one when that many events came since the last; 0: none
	Version int    // of S and of what Fold makes of the events; 0 stands for 1
	Name    string // of the model; "": its query and the type S. Two models that share both need names
}

// SnapshotTaken is emitted when Load or Decide of this Store have saved a
// snapshot. Its listeners share the Data: they only read it.
func (s *Store) SnapshotTaken() *signals.AsyncSignal[Snapshot] { return s.snapshotTaken }

// snapshotMark is the name of a snapshot that is none: its EventID is random,
// and it goes with every DropSnapshots(""), that is with every Forget. Who
// reads events that can be erased looks at it first, and again when it has saved
// a snapshot: if it is another one then, the state may hold what had to be
// forgotten, and the snapshot is dropped. So it holds for any number of processes, without
// a lock that all of them share: either the look after the saving comes after
// the drop, and finds another mark, or the drop comes after the saving.
const snapshotMark = "eventstore: none forgotten since"

// snapshots takes and restores the snapshots of one model; nil if it has none.
type snapshots struct {
	store   *Store
	backend Snapshots
	key     Snapshot // Name and Version
	every   int
	shape   string // of the state, and the query, as they go into the sum
	mark    string // see snapshotMark; "" if nothing can be erased
}

// snapshotsOf returns what is to be done about snapshots of a model.
func snapshotsOf[S any](ctx context.Context, s *Store, m *Model[S], q Query) (*snapshots, error) {
	p := m.Snapshots
	switch {
	case p.Every < 0:
		return nil, fmt.Errorf("SnapshotPolicy: Every %d: want 1 or more, or 0 for none", p.Every)
	case p.Version < 0:
		return nil, fmt.Errorf("SnapshotPolicy: Version %d: want 1 or more, or 0 for 1", p.Version)
	case p.Every == 0:
		return nil, nil
	}
	b, ok := s.backend.(Snapshots)
	if !ok {
		return nil, fmt.Errorf("SnapshotPolicy: %w", ErrUnsupported)
	}
	name := p.Name
	if name == "" {
		name = fmt.Sprintf("%s of %s", reflect.TypeFor[S](), q)
		if len(name) > MaxName {
			sum := sha256.Sum256([]byte(name))
			name = fmt.Sprintf("%.200s %x", reflect.TypeFor[S](), sum)
		}
	}
	if err := checkName("SnapshotPolicy: Name", name); err != nil {
		return nil, err
	}
	n := &snapshots{
		store: s, backend: b, every: p.Every,
		key:   Snapshot{Name: name, Version: max(p.Version, 1)},
		shape: shapeOf(reflect.TypeFor[S]()) + " of " + s.expand(q).String(),
	}
	if s.types == nil || !s.types.custom {
		return n, nil
	}
	var err error
	n.mark, err = n.readMark(ctx, true)
	return n, err
}

// readMark returns the store's mark, and makes one if there is none.
func (n *snapshots) readMark(ctx context.Context, make bool) (string, error) {
	mark, ok, err := n.backend.LoadSnapshot(ctx, snapshotMark, 1)
	if err != nil || ok || !make {
		return mark.EventID, err
	}
	mark = Snapshot{Name: snapshotMark, Version: 1, EventID: newID(), Taken: time.Now()}
	return mark.EventID, n.backend.SaveSnapshot(ctx, mark)
}

// restored returns the model's snapshot, and l with its state and a head that
// is not before it; a zero Snapshot if there is none to trust.
func restored[S any](ctx context.Context, n *snapshots, l loaded[S]) (Snapshot, loaded[S], error) {
	if n == nil {
		return Snapshot{}, l, nil
	}
	base, ok, err := n.backend.LoadSnapshot(ctx, n.key.Name, n.key.Version)
	if err != nil || !ok {
		return Snapshot{}, l, err
	}
	identity, err := n.store.backend.Identity(ctx)
	if err != nil {
		return Snapshot{}, l, err
	}
	reason := n.distrust(base, identity)
	if reason == nil && base.Position > l.head {
		// Taken since the head was read, or of a longer history.
		if l.head, err = n.store.headOf(ctx); err != nil {
			return Snapshot{}, l, err
		}
		if base.Position > l.head {
			reason = fmt.Errorf("it is of position %d, the store ends at %d", base.Position, l.head)
		}
	}
	if reason == nil {
		reason = json.Unmarshal(base.Data, &l.state)
	}
	if reason != nil {
		return Snapshot{}, l, n.drop(ctx, base, reason)
	}
	return base, l, nil
}

// distrust says why a snapshot is not to be used, or nil.
func (n *snapshots) distrust(base Snapshot, identity string) error {
	switch {
	case base.Name != n.key.Name || base.Version != n.key.Version:
		return fmt.Errorf("it says that it is %q, version %d", base.Name, base.Version)
	case base.Identity != identity:
		return errors.New("it is of another store")
	case base.Position == 0:
		return errors.New("it has no position")
	case subtle.ConstantTimeCompare(base.Sum, n.sum(base)) != 1:
		return errors.New("its checksum is wrong: it is damaged, or of a state with other fields")
	}
	return nil
}

// drop removes what must not be trusted.
func (n *snapshots) drop(ctx context.Context, base Snapshot, reason error) error {
	n.log("a snapshot is dropped, the state is made of the events", n.key, reason)
	if err := n.backend.DropSnapshots(ctx, n.key.Name); err != nil {
		return fmt.Errorf("snapshot %q at position %d: %w", n.key.Name, base.Position, err)
	}
	return nil
}

// taken is a snapshot that is to be saved.
type taken struct {
	*snapshots
	snapshot Snapshot
}

// take encodes the state if it is time, before the caller can change it. The
// error is about a state that would not come back.
func (n *snapshots) take(ctx context.Context, state any, read replayed) (*taken, error) {
	if n == nil {
		return nil, nil
	}
	due := read.events >= n.every
	kind := reflect.TypeOf(state)
	if _, seen := n.store.survivors.Load(kind); seen && !due {
		return nil, nil
	}
	data, err := survive(state)
	if err != nil {
		return nil, fmt.Errorf("SnapshotPolicy: %q at position %d is refused: a %T does not survive JSON: %w", n.key.Name, read.at, state, err)
	}
	n.store.survivors.Store(kind, true)
	if !due {
		return nil, nil
	}
	s := n.key
	if s.Identity, err = n.store.backend.Identity(ctx); err != nil {
		return nil, err
	}
	s.Position, s.EventID, s.Data, s.Taken = read.at, read.id, data, time.Now()
	s.Sum = n.sum(s)
	return &taken{n, s}, nil
}

// saveSnapshot saves it, if there is one. What fails is logged: the state is
// right without it.
func (s *Store) saveSnapshot(ctx context.Context, t *taken) {
	if t == nil || ctx.Err() != nil {
		return
	}
	if err := t.backend.SaveSnapshot(ctx, t.snapshot); err != nil {
		t.log("a snapshot could not be saved", t.snapshot, err)
		return
	}
	if t.mark != "" {
		// Not with the caller's context: what was saved must not stay if it
		// may not.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resolveFor)
		defer cancel()
		if mark, err := t.readMark(ctx, false); err != nil || mark != t.mark {
			if err := t.backend.DropSnapshots(ctx, t.snapshot.Name); err != nil {
				t.log("a snapshot may hold what was forgotten, and could not be dropped: call Forget again", t.snapshot, err)
			}
			return
		}
	}
	s.snapshotTaken.Emit(ctx, t.snapshot.clone())
}

// log tells the store's logger, whose methods may panic.
func (n *snapshots) log(what string, about Snapshot, err error) {
	defer func() { _ = recover() }()
	logger := n.store.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Warn("eventstore: "+what, "store", n.store.name, "snapshot", about.Name, "version", about.Version, "position", about.Position, "err", err)
}

// sum returns the checksum of all that is used of a snapshot, and of what it
// must fit: the state's type and the query.
func (n *snapshots) sum(s Snapshot) []byte {
	h := sha256.New()
	put := func(part []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	for _, text := range []string{s.Name, fmt.Sprint(s.Version), fmt.Sprint(s.Position), s.Identity, s.EventID, n.shape} {
		put([]byte(text))
	}
	put(s.Data)
	return h.Sum(nil)
}

// shapeOf returns a digest of what a type's fields are, deeply.
func shapeOf(t reflect.Type) string {
	h := sha256.New()
	describe(t, map[reflect.Type]int{}, func(text string) { fmt.Fprintf(h, "%q ", text) })
	return hex.EncodeToString(h.Sum(nil))
}

// describe prints a type without names of packages, so that a state may move.
func describe(t reflect.Type, seen map[reflect.Type]int, put func(string)) {
	if n, ok := seen[t]; ok {
		put(fmt.Sprintf("as %d", n))
		return
	}
	seen[t] = len(seen)
	put(t.Kind().String())
	if t.Implements(reflect.TypeFor[json.Marshaler]()) {
		put(t.Name()) // its fields are its own affair
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			put(f.Name)
			put(string(f.Tag))
			describe(f.Type, seen, put)
		}
		put("end")
	case reflect.Map:
		describe(t.Key(), seen, put)
		describe(t.Elem(), seen, put)
	case reflect.Array:
		put(fmt.Sprint(t.Len()))
		describe(t.Elem(), seen, put)
	case reflect.Pointer, reflect.Slice:
		describe(t.Elem(), seen, put)
	}
}
