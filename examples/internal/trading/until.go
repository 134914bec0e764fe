package trading

import (
	"context"
	"io"
)

// until is an input that ends with ctx, for a lenient reader that finds nothing
// to pass on.
type until struct {
	ctx context.Context
	in  io.Reader
}

// until is the input, as long as ctx lasts.
func (in *input) until(ctx context.Context) io.Reader {
	if in.again {
		return until{ctx, in}
	}
	return until{ctx, &patient{ctx: ctx, in: in, done: make(chan read, 1), buf: make([]byte, 1<<18)}}
}

// Read implements io.Reader.
func (u until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.in.Read(p)
}

// patient reads what may be silent for long, as a pipe. The kernel cannot be told
// to give up, so a goroutine waits; when ctx ends first, it is left behind until
// the input is closed or says something, and nobody reads again.
type patient struct {
	ctx  context.Context
	in   io.Reader
	done chan read
	buf  []byte // of the goroutine, while there is one
}

// read is what a Read returned.
type read struct {
	n   int
	err error
}

// Read implements io.Reader.
func (r *patient) Read(p []byte) (int, error) {
	buf := r.buf[:min(len(p), len(r.buf))]
	go func() {
		n, err := r.in.Read(buf)
		r.done <- read{n, err}
	}()
	select {
	case got := <-r.done:
		return copy(p, buf[:got.n]), got.err
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}
