package inspector

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// patience is how long a write of at most onePiece to a browser may take before
// it is cut off. A variable for the tests.
var patience = 10 * time.Second

const (
	onePiece   = 64 << 10 // bytes of a write
	maxAnswers = 100      // that are under way at once
	maxWaits   = 50       // that wait before they are made, and take no place of the others
	worthwhile = 1 << 10  // bytes from which on an answer is compressed
)

// enter counts an answer in, or reports that there are too many; leave counts
// it out.
func (i *Inspector) enter(w http.ResponseWriter) (leave func(), ok bool) {
	if i.answers.Add(1) > maxAnswers {
		i.answers.Add(-1)
		busy(w, "too many requests are under way")
		return nil, false
	}
	return func() { i.answers.Add(-1) }, true
}

// enterWait is enter for a request that waits before it is answered.
func (i *Inspector) enterWait(w http.ResponseWriter) (leave func(), ok bool) {
	if i.waits.Add(1) > maxWaits {
		i.waits.Add(-1)
		busy(w, "too many requests wait for a diagnosis")
		return nil, false
	}
	return func() { i.waits.Add(-1) }, true
}

func busy(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "5")
	http.Error(w, "inspector: "+why+"; try again", http.StatusServiceUnavailable)
}

// share sends what render returns. Those who ask the same at the same time get
// the same bytes.
func (i *Inspector) share(w http.ResponseWriter, r *http.Request, kind string, key feedKey, render func() ([]byte, error)) {
	leave, ok := i.enter(w)
	if !ok {
		return
	}
	defer leave()
	f := i.feeds.join(key)
	defer i.feeds.leave(f)
	data, err := f.at(i.sampleNumber(), render)
	if err != nil {
		http.Error(w, "inspector: "+err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, r, kind, http.StatusOK, data)
}

// shareJSON is share for what is written as JSON.
func (i *Inspector) shareJSON(w http.ResponseWriter, r *http.Request, key feedKey, value func() any) {
	i.share(w, r, "application/json", key, func() ([]byte, error) {
		data, err := json.Marshal(value())
		return append(data, '\n'), err
	})
}

// send sends a whole answer, compressed for whoever takes it.
func send(w http.ResponseWriter, r *http.Request, kind string, code int, data *rendered) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Vary", "Accept-Encoding")
	packed := len(data.plain) >= worthwhile && takesGzip(r)
	out := output{w: w, control: http.NewResponseController(w)}
	if packed {
		h.Set("Content-Encoding", "gzip")
		out.gzip = true
	} else {
		h.Set("Content-Length", strconv.Itoa(len(data.plain)))
	}
	w.WriteHeader(code)
	if r.Method == http.MethodHead {
		return
	}
	if out.begin() == nil && out.send(data) == nil {
		_ = out.end()
	}
}

// takesGzip reports whether Accept-Encoding names gzip, and not with q=0.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			quality, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(params), "q="), 64)
			return err != nil || quality > 0
		}
	}
	return false
}
