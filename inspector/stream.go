package inspector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	maxStreams = 100      // at once
	maxFeeds   = 8        // of a stream
	maxFrame   = 16 << 20 // bytes of an event
)

// source is one of the things that a stream tells.
type source struct {
	event  string
	key    feedKey // but for the access
	render func(Access) ([]byte, error)
}

// events is the stream of snapshots.
func (i *Inspector) events(w http.ResponseWriter, r *http.Request, q query) {
	i.stream(w, r, []source{{"snapshot", feedKey{name: "events", query: q}, func(Access) ([]byte, error) { return json.Marshal(i.snapshot(q)) }}})
}

// live is the stream of what changes of pages: of that which the parameters
// ask for, or, for a browser with several of them, of each that a parameter
// feed asks for in the same way. The id of an event says which feed it is of.
func (i *Inspector) live(w http.ResponseWriter, r *http.Request, params url.Values, q query) {
	asked := params["feed"]
	if len(asked) > maxFeeds {
		http.Error(w, fmt.Sprintf("inspector: %d feeds: want at most %d", len(asked), maxFeeds), http.StatusBadRequest)
		return
	}
	page := func(name string, q query, id string) source {
		return source{"page", feedKey{name: "live " + name, query: q, asked: id}, func(a Access) ([]byte, error) {
			return view{i: i, access: a, query: q, name: viewName(name)}.body()
		}}
	}
	if len(asked) == 0 {
		i.stream(w, r, []source{page(params.Get("view"), q, "")})
		return
	}
	var sources []source
	for _, id := range asked {
		v, err := url.ParseQuery(id)
		if err == nil && bytes.ContainsAny([]byte(id), "\r\n\x00") {
			err = fmt.Errorf("it has a line break")
		}
		if err != nil {
			http.Error(w, fmt.Sprintf("inspector: feed=%q: want the parameters of a page: %v", cut(id, 100), err), http.StatusBadRequest)
			return
		}
		q, err := parseQuery(v)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		sources = append(sources, page(v.Get("view"), q, id))
	}
	i.stream(w, r, sources)
}

// stream sends what the sources render, now and after each sample, as
// server-sent events, and always the latest: one whose browser is slow or has
// stalled misses some, and nobody waits for it. What waits for a browser is at
// most the one event that is being written, which all that show the same share.
// The right to see it is asked for anew each time.
func (i *Inspector) stream(w http.ResponseWriter, r *http.Request, sources []source) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx holds answers back until they are long
	h.Set("Vary", "Accept-Encoding")
	if r.Method == http.MethodHead {
		return
	}
	leave, ok := i.join()
	if !ok {
		h.Del("X-Accel-Buffering")
		busy(w, fmt.Sprintf("%d streams are open", maxStreams))
		return
	}
	defer leave()
	i.see()
	out := output{w: w, control: http.NewResponseController(w)}
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		out.gzip = true
	}
	w.WriteHeader(http.StatusOK)
	if out.begin() != nil {
		return
	}
	open := make([]*feed, len(sources))
	defer func() {
		for _, f := range open {
			if f != nil {
				i.feeds.leave(f)
			}
		}
	}()
	for {
		i.mu.RLock()
		next := i.changed
		i.mu.RUnlock()
		access, _ := i.access(r)
		if access == Denied {
			_ = out.end()
			return
		}
		for k, s := range sources {
			s.key.access = access
			if open[k] == nil || open[k].key != s.key {
				old := open[k]
				open[k] = i.feeds.join(s.key)
				if old != nil {
					i.feeds.leave(old)
				}
			}
			data, err := open[k].at(i.sampleNumber(), func() ([]byte, error) { return framed(s, access) })
			if err != nil {
				return // the page cannot be rendered; the request for it says why
			}
			if out.send(data) != nil {
				return
			}
		}
		if out.control.Flush() != nil {
			return
		}
		select {
		case <-next:
		case <-r.Context().Done():
			return
		case <-i.closed:
			_ = out.end()
			return
		}
	}
}

func framed(s source, access Access) ([]byte, error) {
	data, err := s.render(access)
	if err == nil && len(data) > maxFrame {
		err = fmt.Errorf("inspector: an event of %d bytes: ask for less, with limit or q", len(data))
	}
	if err != nil {
		return nil, err
	}
	return frame(s.event, s.key.asked, data), nil
}

// frame writes one event.
func frame(event, id string, data []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(data) + len(id) + 64)
	b.WriteString("event: " + event + "\n")
	if id != "" {
		b.WriteString("id: " + id + "\n")
	}
	for line := range bytes.Lines(data) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// join counts a stream in, unless there are too many, and returns what counts
// it out. The first stream starts the sampling, which ends when the last has
// left.
func (i *Inspector) join() (leave func(), ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.watched >= maxStreams {
		return nil, false
	}
	if i.watched++; i.watched == 1 {
		i.idle = make(chan struct{})
		go i.sampling(i.idle)
	}
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.watched--; i.watched == 0 {
			close(i.idle)
		}
	}, true
}

// sampling takes a sample each second until nobody looks any more.
func (i *Inspector) sampling(idle <-chan struct{}) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			i.examine(openPace, openMost)
			i.look(true)
		case <-idle:
			return
		case <-i.closed:
			return
		}
	}
}
