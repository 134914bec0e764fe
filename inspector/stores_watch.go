package inspector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/signals/eventstore"
)

// Stores shows event stores: their heads and rates, how far their durable
// listeners are, of this process and of others, and their dead letters. The
// inspector asks them once a second while somebody looks, for the head, the
// checkpoints and, where there are dead letters, the first ones of each key; a
// store that does not answer holds up no page for longer than a second. Events'
// data is not shown.
func Stores(stores ...*eventstore.Store) Option {
	for _, s := range stores {
		if s == nil {
			panic("inspector: Stores: a Store is nil; leave it out")
		}
	}
	return func(c *config) { c.stores = append(c.stores, stores...) }
}

const (
	storePatience = time.Second      // that a page waits for a store
	storeTimeout  = 10 * time.Second // after which a store is asked anew
	lettersAge    = 10 * time.Second // of dead letters that did not become more or fewer
	maxLetters    = 10               // that are shown of a key
)

// storeWatch asks one store, one question at a time.
type storeWatch struct {
	store *eventstore.Store
	name  string
	now   func() time.Time

	mu     sync.Mutex
	answer chan struct{} // closed when the question under way has its answer; nil: none is
	asked  time.Time     // when the last question was asked
	last   storeAnswer   // the last good one
	err    error         // of the last question
}

// storeAnswer is what a store says. It is not written after it was made.
type storeAnswer struct {
	at          time.Time // zero: it has said nothing yet
	head        eventstore.Position
	running     map[string]eventstore.ListenerStats // in this process
	checkpoints []eventstore.Checkpoint
	letters     map[string]letters
}

// letters are the first dead letters of a key.
type letters struct {
	read  time.Time
	count int
	first []DeadLetter
}

// watchStores begins to watch the stores of the option, those of one name apart.
func (i *Inspector) watchStores() {
	taken := make(map[string]int)
	for _, s := range i.config.stores {
		name := s.Name()
		if taken[s.Name()]++; taken[s.Name()] > 1 {
			name = fmt.Sprintf("%s#%d", name, taken[s.Name()])
		}
		i.stores = append(i.stores, &storeWatch{store: s, name: name, now: func() time.Time { return i.now() }})
	}
}

// askStores asks those whose answer is not fresh, and waits for them, but not
// for long.
func (i *Inspector) askStores(now bool) {
	if len(i.stores) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storePatience)
	defer cancel()
	for _, w := range i.stores {
		if answer := w.ask(now); answer != nil {
			defer func() {
				select {
				case <-answer:
				case <-ctx.Done():
				}
			}()
		}
	}
}

// ask begins to ask, unless the last answer is fresh, and returns what is closed
// when the answer is there.
func (w *storeWatch) ask(now bool) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.now()
	if w.answer == nil && (now || at.Sub(w.asked) >= beat-least) {
		w.answer, w.asked = make(chan struct{}), at
		go w.work(w.last)
	}
	return w.answer
}

func (w *storeWatch) work(before storeAnswer) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	next, err := w.read(ctx, before)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err = err; err == nil {
		w.last = next
	}
	close(w.answer)
	w.answer = nil
}

// read asks the store. A backend of the user's own may panic.
func (w *storeWatch) read(ctx context.Context, before storeAnswer) (out storeAnswer, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the backend panicked: %v", v)
		}
	}()
	out = storeAnswer{running: map[string]eventstore.ListenerStats{}, letters: map[string]letters{}}
	for _, l := range w.store.Listeners() { // first: none is then ahead of the head
		out.running[l.Key] = l
	}
	if out.checkpoints, err = w.store.Checkpoints(ctx); err != nil && !errors.Is(err, eventstore.ErrUnsupported) {
		return out, err
	}
	if out.head, err = w.store.Head(ctx); err != nil {
		return out, err
	}
	out.at = w.now()
	for _, c := range out.checkpoints {
		if c.Dead == 0 {
			continue
		}
		had := before.letters[c.Key]
		if had.count != c.Dead || out.at.Sub(had.read) >= lettersAge {
			had = letters{read: out.at, count: c.Dead}
			for d, err := range w.store.DeadLetters(ctx, c.Key) {
				if err != nil {
					return out, err
				}
				had.first = append(had.first, DeadLetter{
					Position: uint64(d.Position), ID: d.ID, Type: d.Type, Error: cut(d.Err, maxError), Attempts: d.Attempts,
					First: d.First, Last: d.Last, Requested: d.Requested,
				})
				if len(had.first) == maxLetters {
					break
				}
			}
		}
		out.letters[c.Key] = had
	}
	return out, nil
}

// latest returns the last answer, and what is the matter if it is not fresh.
func (w *storeWatch) latest(now time.Time) (storeAnswer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.last, w.err
	}
	if w.answer != nil && now.Sub(w.asked) >= storePatience {
		return w.last, fmt.Errorf("no answer for %s", seconds(now.Sub(w.asked).Seconds()))
	}
	return w.last, nil
}
