package eventstore

// waiter is a follower with nothing to do.
type waiter struct {
	query Query
	at    Position      // it needs nothing up to here; while it waits, under tail.mu
	want  Position      // if not 0, it is woken when the store's end is there, too
	lazy  bool          // it is woken after a while when something has passed it by
	woken chan struct{} // closed under tail.mu, with the waiter taken out of waiting
}

// waiters are those who wait, found by what they wait for: each item of a
// query under its stream, or else one of its tags, or else its types. A
// commit costs a look-up for each name in it and a comparison for each waiter
// that shares one, however many others wait.
type waiters struct {
	all      map[*waiter]struct{}
	any      map[*waiter]struct{} // whose query is All
	byStream map[string]map[*waiter]struct{}
	byTag    map[string]map[*waiter]struct{}
	byType   map[string]map[*waiter]struct{}
	wanting  map[*waiter]struct{} // with a want
	lazy     map[*waiter]struct{}
}

func (ws *waiters) add(w *waiter) {
	if ws.all == nil {
		*ws = waiters{
			all: map[*waiter]struct{}{}, any: map[*waiter]struct{}{},
			byStream: map[string]map[*waiter]struct{}{}, byTag: map[string]map[*waiter]struct{}{}, byType: map[string]map[*waiter]struct{}{},
			wanting: map[*waiter]struct{}{}, lazy: map[*waiter]struct{}{},
		}
	}
	ws.all[w] = struct{}{}
	if w.query.all {
		ws.any[w] = struct{}{}
	}
	if w.want > 0 {
		ws.wanting[w] = struct{}{}
	}
	if w.lazy {
		ws.lazy[w] = struct{}{}
	}
	ws.each(w, put[string, *waiter])
}

// remove takes w out, and reports whether it was in.
func (ws *waiters) remove(w *waiter) bool {
	if _, ok := ws.all[w]; !ok {
		return false
	}
	delete(ws.all, w)
	delete(ws.any, w)
	delete(ws.wanting, w)
	delete(ws.lazy, w)
	ws.each(w, drop[string, *waiter])
	return true
}

// each calls fn with every place of the index where w belongs.
func (ws *waiters) each(w *waiter, fn func(index map[string]map[*waiter]struct{}, name string, w *waiter)) {
	for _, item := range w.query.items {
		switch {
		case item.Stream != "":
			fn(ws.byStream, item.Stream, w)
		case len(item.Tags) > 0:
			fn(ws.byTag, item.Tags[0], w)
		default:
			for _, name := range item.Types {
				fn(ws.byType, name, w)
			}
		}
	}
}

// matching calls fn with those whose query matches the event; fn may remove
// them.
func (ws *waiters) matching(e *Event, fn func(*waiter)) {
	if len(ws.all) == 0 {
		return
	}
	for w := range ws.any {
		fn(w)
	}
	some := func(in map[*waiter]struct{}) {
		for w := range in {
			if w.query.Matches(e) {
				fn(w)
			}
		}
	}
	some(ws.byStream[e.Stream])
	some(ws.byType[e.Type])
	for _, tag := range e.Tags {
		some(ws.byTag[tag])
	}
}

// put adds v to the set under that key.
func put[K, V comparable](sets map[K]map[V]struct{}, key K, v V) {
	set := sets[key]
	if set == nil {
		set = map[V]struct{}{}
		sets[key] = set
	}
	set[v] = struct{}{}
}

// drop takes v out of the set under that key.
func drop[K, V comparable](sets map[K]map[V]struct{}, key K, v V) {
	if set := sets[key]; set != nil {
		delete(set, v)
		if len(set) == 0 {
			delete(sets, key)
		}
	}
}
