package natsignals

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

var errNoMessage = errors.New("natsignals: the emission came from no Consumer, and has no id by which to know it again")

// Idempotent makes a listener that calls fn once for each message id, over all
// processes that share the bucket: it notes in kv that the message is done when
// fn has succeeded, and skips a message that is done. A process that ends
// between the two repeats fn when the message comes again: two systems cannot
// change at one instant. Where that matters, let one change be both: [Fold], or
// an append to the event store with the id of the message as the id of the
// event (see [MessageOf]).
//
// name distinguishes listeners that share a bucket. The bucket's TTL is how
// long ids are remembered; it must be longer than a message can be under way.
func Idempotent[T any](kv jetstream.KeyValue, name string, fn func(context.Context, T) error) func(context.Context, T) error {
	if kv == nil || fn == nil {
		panic("natsignals: Idempotent: the bucket or the function is nil")
	}
	return func(ctx context.Context, payload T) error {
		m, ok := MessageOf(ctx)
		if !ok {
			return errNoMessage
		}
		key := keyOf(name, m.ID)
		switch _, err := kv.Get(ctx, key); {
		case err == nil:
			return nil
		case !errors.Is(err, jetstream.ErrKeyNotFound):
			return fmt.Errorf("natsignals: look for %q in the bucket %q: %w", m.ID, kv.Bucket(), err)
		}
		if err := fn(ctx, payload); err != nil {
			return err
		}
		if _, err := kv.Put(ctx, key, nil); err != nil {
			return fmt.Errorf("natsignals: note %q in the bucket %q: %w", m.ID, kv.Bucket(), err)
		}
		return nil
	}
}

// Folded is what [Fold] keeps for each key.
type Folded[S any] struct {
	State    S        `json:"state"`
	Stream   string   `json:"stream"`   // the last message that is in State
	Sequence uint64   `json:"sequence"` // its sequence
	Recent   []string `json:"recent"`   // ids of the last messages

	// Stored is when the stream stored it. A stream that was made again, or is
	// an older copy of itself, gives its sequences out a second time: what has
	// one of these and is younger is another message.
	Stored time.Time `json:"stored"`
}

// has reports whether a message is in State.
func (f *Folded[S]) has(m *Message) bool {
	passed := f.Stream == m.Stream && m.Sequence <= f.Sequence && !m.Stored.After(f.Stored)
	return passed || slices.Contains(f.Recent, m.ID)
}

// How many ids an entry of Fold keeps: they catch what was published twice,
// beyond the stream's duplicate window, and is stored under two sequences.
const recentIDs = 32

// Fold makes a listener that keeps a state for each key in a bucket: apply
// makes the new state of the old one and the payload. State and position are
// one entry, written if nobody else has written it, and so each message is
// applied exactly once, whatever is delivered twice and whoever else runs.
// apply may be called more than once for one message: it computes, and does
// nothing else.
//
// It needs a Consumer with [Ordered]: that the messages of a key come in order
// is how one is known to have been applied. State is JSON. Read it with
// [FoldedState].
func Fold[S, T any](kv jetstream.KeyValue, key func(T) string, apply func(ctx context.Context, state S, payload T) (S, error)) func(context.Context, T) error {
	if kv == nil || key == nil || apply == nil {
		panic("natsignals: Fold: the bucket or a function is nil")
	}
	return func(ctx context.Context, payload T) error {
		m, ok := MessageOf(ctx)
		if !ok {
			return errNoMessage
		}
		if !m.ordered {
			return errors.New("natsignals: Fold in a Consumer without Ordered: a message that is overtaken would never be applied")
		}
		k := key(payload)
		for {
			entry, revision, err := folded[S](ctx, kv, k)
			if err != nil {
				return err
			}
			if entry.has(m) {
				return nil
			}
			if entry.State, err = apply(ctx, entry.State, payload); err != nil {
				return err
			}
			entry.Stream, entry.Sequence, entry.Stored = m.Stream, m.Sequence, m.Stored
			entry.Recent = append(entry.Recent, m.ID)
			entry.Recent = entry.Recent[max(0, len(entry.Recent)-recentIDs):]
			data, err := json.Marshal(entry)
			if err != nil {
				return fmt.Errorf("natsignals: the state of %q: %w", k, err)
			}
			if revision == 0 {
				_, err = kv.Create(ctx, keyOf("", k), data)
			} else {
				_, err = kv.Update(ctx, keyOf("", k), data, revision)
			}
			if errors.Is(err, jetstream.ErrKeyExists) || isWrongRevision(err) {
				continue // somebody else was faster: look again
			}
			if err != nil {
				// It may be written all the same; the next attempt looks.
				return fmt.Errorf("natsignals: write the state of %q to the bucket %q: %w", k, kv.Bucket(), err)
			}
			return nil
		}
	}
}

// FoldedState returns the state that Fold keeps for a key; the zero value if
// there is none.
func FoldedState[S any](ctx context.Context, kv jetstream.KeyValue, key string) (S, error) {
	entry, _, err := folded[S](ctx, kv, key)
	return entry.State, err
}

func folded[S any](ctx context.Context, kv jetstream.KeyValue, key string) (entry Folded[S], revision uint64, err error) {
	got, err := kv.Get(ctx, keyOf("", key))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return entry, 0, nil
	case err != nil:
		return entry, 0, fmt.Errorf("natsignals: read the state of %q from the bucket %q: %w", key, kv.Bucket(), err)
	}
	if err := json.Unmarshal(got.Value(), &entry); err != nil {
		return entry, 0, fmt.Errorf("natsignals: the state of %q in the bucket %q is none of Fold: %w", key, kv.Bucket(), err)
	}
	return entry, got.Revision(), nil
}

func isWrongRevision(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// keyOf makes a key of a bucket from any text: what a key may not hold is
// encoded.
func keyOf(name, text string) string {
	plain := text != "" && strings.IndexFunc(text, func(r rune) bool {
		return r != '-' && r != '_' && r != '/' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
	if !plain {
		text = "=" + base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	if name == "" {
		return text
	}
	return keyOf("", name) + "." + text
}
