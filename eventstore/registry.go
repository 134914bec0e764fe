package eventstore

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// Registry knows the Go types of events: their names, how they are encoded, and
// how what was stored by older programs becomes what this one understands.
// Register every type when the program starts; then give it to New with Types.
// From its first use on it does not change, Register panics, and it may be used
// by any number of goroutines and Stores.
//
// A nil Registry knows no type.
type Registry struct {
	mu    sync.Mutex
	types []*eventType // as registered; under mu until seal
	raw   bool         // what is unknown is given as it is stored; under mu until seal

	// What follows is written by seal, once, and only read afterwards.
	once    sync.Once
	sealed  bool                        // under mu
	byGo    map[reflect.Type]*eventType // what a value is of
	byName  map[string]*eventType       // who reads what was stored under that name
	readAs  map[string][]string         // of a name: it and all under which such events were stored; only if there are others
	erasing []KeyStore                  // of the codecs that encrypt
	custom  bool                        // a type has a codec other than JSON
}

// eventType is a registered type.
type eventType struct {
	typeConfig
	name   string
	goType reflect.Type
	decode func(ctx context.Context, c Codec, data []byte) (any, error) // as the registered type
}

// NewRegistry returns a registry without types. A type that it does not know is
// an error where an event of it is read; RawUnknown changes that.
func NewRegistry() *Registry { return &Registry{} }

// RawUnknown gives events of unknown types as they are stored, as a Recorded,
// instead of an error wrapping ErrUnknownType: to a Fold, which should leave the
// state alone at what it does not know, and from Decode. Data of a newer version
// of a known type stays an error: who ignored it would decide wrongly. It
// returns r.
func (r *Registry) RawUnknown() *Registry {
	r.change("RawUnknown", func() { r.raw = true })
	return r
}

// Register makes E the type of the events with that name. It panics at what
// makes no sense: a name or a type that is there already, an option that was made
// for another type, an interface as E.
//
//	eventstore.Register[Deposited](types, "deposited",
//		eventstore.TagsOf(func(e Deposited) []string { return []string{"account:" + e.Account} }))
func Register[E any](r *Registry, name string, opts ...TypeOption) {
	if r == nil {
		panic("eventstore: Register: the Registry is nil: make one with NewRegistry")
	}
	t := &eventType{name: name, goType: reflect.TypeFor[E](), decode: decodeAs[E]}
	t.version, t.codec = 1, JSON()
	for _, o := range opts {
		if o == nil {
			panic(fmt.Sprintf("eventstore: Register of %q: an option is nil; leave it out", name))
		}
		o(&t.typeConfig)
	}
	if err := t.check(); err != nil {
		panic(fmt.Sprintf("eventstore: Register of %q: %v", name, err))
	}
	r.change("Register of "+name, func() {
		for _, other := range r.types {
			if other.name == name {
				panic(fmt.Sprintf("eventstore: Register of %q: the name is registered already, for %s", name, other.goType))
			}
			if other.goType == t.goType {
				panic(fmt.Sprintf("eventstore: Register of %q: %s is registered already, as %q: a value must have one name", name, t.goType, other.name))
			}
		}
		r.types = append(r.types, t)
	})
}

// decodeAs decodes into a new E.
func decodeAs[E any](ctx context.Context, c Codec, data []byte) (any, error) {
	var e E
	if err := c.Decode(ctx, data, &e); err != nil {
		return nil, err
	}
	return e, nil
}

// change does what changes the registry, or panics if it is in use.
func (r *Registry) change(what string, fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		panic(fmt.Sprintf("eventstore: %s: the Registry is in use already: register everything before New", what))
	}
	fn()
}

// seal builds what reading and encoding need. It panics if two types claim a
// name that neither of them has.
func (r *Registry) seal() {
	r.once.Do(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sealed = true
		r.byGo, r.byName = map[reflect.Type]*eventType{}, map[string]*eventType{}
		r.readAs = map[string][]string{}
		for _, t := range r.types {
			r.byGo[t.goType], r.byName[t.name] = t, t
			if c, ok := t.codec.(*encrypted); ok {
				r.erasing = append(r.erasing, c.keys)
			}
			if _, ok := t.codec.(jsonCodec); !ok {
				r.custom = true
			}
		}
		for _, t := range r.types {
			for _, old := range t.readAs {
				owner := r.byName[old]
				switch {
				case owner == nil:
					r.byName[old] = t
				case owner.name == old, owner == t, slices.Contains(t.readAs, owner.name):
					// That one decodes it, and its upcasts make values of t.
				case slices.Contains(owner.readAs, t.name):
					r.byName[old] = t
				default:
					panic(fmt.Sprintf("eventstore: %q and %q are both to read what was stored as %q: register a type of that name whose upcasts make theirs", owner.name, t.name, old))
				}
			}
		}
		for _, t := range r.types {
			if len(t.readAs) > 0 {
				r.readAs[t.name] = r.closure(nil, t.name)
			}
		}
	})
}

// closure adds a name, and all under which events of it were stored.
func (r *Registry) closure(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	names = append(names, name)
	if t := r.byName[name]; t != nil && t.name == name {
		for _, old := range t.readAs {
			names = r.closure(names, old)
		}
	}
	return names
}

// Types gives the store the types of its events: for Model, Load and Decide,
// and for queries by a name whose events were once stored under others (see
// ReadAs): Read, Follow, Listen and the conditions of Append find these too.
func Types(r *Registry) Option {
	if r == nil {
		panic("eventstore: Types(nil): give a Registry or leave the option out")
	}
	r.seal()
	return func(c *config) { c.types = r }
}

// Types returns what the option Types gave, nil without it.
func (s *Store) Types() *Registry { return s.types }

// Expand returns a query that finds what q means in the names of today: with
// each type also those under which its events were stored, as ReadAs says. A
// Store with Types does so by itself; it is for whoever asks a Backend.
//
// It may find more: an event stored under an old name that became several types,
// not all of which q names. Load and Decide leave those out after decoding.
func (r *Registry) Expand(q Query) Query {
	if r == nil {
		return q
	}
	r.seal()
	if len(r.readAs) == 0 || q.all || q.Err() != nil {
		return q
	}
	items, more := slices.Clone(q.items), false
	for i, item := range items {
		for _, name := range item.Types {
			if names := r.readAs[name]; names != nil {
				items[i].Types, more = slices.Concat(items[i].Types, names), true
			}
		}
	}
	if !more {
		return q
	}
	return Match(items...)
}

// expand returns a query as the store's types want it.
func (s *Store) expand(q Query) Query { return s.types.Expand(q) }

// expandAll does so for the queries of conditions.
func (s *Store) expandAll(conds []Condition) []Condition {
	if s.types == nil {
		return conds
	}
	conds = slices.Clone(conds)
	for i := range conds {
		if conds[i].Kind == NoneAfter {
			conds[i].Query = s.expand(conds[i].Query)
		}
	}
	return conds
}
