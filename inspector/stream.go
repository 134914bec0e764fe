package inspector

import (
	"bytes"
	"net/http"
	"time"
)

// patience is how long a write to a browser may take before it is cut off. A
// variable for the tests.
var patience = 10 * time.Second

// stream sends what render returns, now and after each sample, as server-sent
// events. Each stream renders for itself, and always the latest: one whose
// browser has stalled misses some, and nobody waits for it.
func (i *Inspector) stream(w http.ResponseWriter, r *http.Request, event string, render func() ([]byte, error)) {
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	out := http.NewResponseController(w)
	i.see()
	defer i.join()()
	for {
		i.mu.RLock()
		next := i.changed
		i.mu.RUnlock()
		data, err := render()
		if err != nil {
			return // the page cannot be rendered; the request for it says why
		}
		// Servers that know no deadline have their own ways with slow clients.
		_ = out.SetWriteDeadline(time.Now().Add(patience))
		if _, err := w.Write(frame(event, data)); err != nil {
			return
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-next:
		case <-r.Context().Done():
			return
		case <-i.closed:
			return
		}
	}
}

// frame writes one event.
func frame(event string, data []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(data) + 64)
	b.WriteString("event: " + event + "\n")
	for line := range bytes.Lines(data) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// join counts a stream in, and returns what counts it out. The first stream
// starts the sampling, which ends when the last has left.
func (i *Inspector) join() (leave func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
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
	}
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
