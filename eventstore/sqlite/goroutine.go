package sqlite

import (
	"bytes"
	"runtime"
	"strconv"
)

// goroutine returns the number of the calling goroutine. Go tells it in stack
// traces only. It is needed where a call from inside of an Update would
// wait for the end of that Update: fn gets no context, so a context cannot
// tell. It is asked only while an Update is under way.
func goroutine() int64 {
	var buf [64]byte
	text := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	number, _, _ := bytes.Cut(text, []byte(" "))
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
