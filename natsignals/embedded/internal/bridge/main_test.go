package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
	"example.com/signals/natsignals/embedded"
)

// Order is what the signals of these tests carry.
type Order struct {
	ID  int    `json:"id"`
	Key string `json:"key,omitempty"`
}

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	slog.SetDefault(quiet)
	code := m.Run()
	if code == 0 {
		code = leaks()
	}
	os.Exit(code)
}

// leaks finds goroutines that this module, or a client, has left behind.
func leaks() int {
	var left string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		buf := make([]byte, 1<<20)
		left = ""
		for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "natsignals.") && !strings.Contains(g, "TestMain") {
				left += g + "\n\n"
			}
		}
		if left == "" {
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, "goroutines were left behind:\n\n"+left)
	return 1
}

// world is a server of a test, and a connection to it.
type world struct {
	t      testing.TB
	ctx    context.Context
	dir    string
	addr   string
	server *embedded.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	puts   int // messages of put
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, ctx: context.Background(), dir: t.TempDir(), addr: "127.0.0.1:0"}
	w.up()
	w.nc, w.js = w.connect()
	t.Cleanup(func() {
		w.nc.Close()
		w.server.Close()
	})
	return w
}

// up starts the server, again on the address that it had.
func (w *world) up() {
	w.t.Helper()
	server, err := embedded.Start(w.dir, embedded.Listen(w.addr), embedded.Name("test"), embedded.Logger(quiet))
	if err != nil {
		w.t.Fatal(err)
	}
	w.server, w.addr = server, strings.TrimPrefix(server.URL(), "nats://")
}

func (w *world) connect(opts ...nats.Option) (*nats.Conn, jetstream.JetStream) {
	w.t.Helper()
	nc, err := nats.Connect(w.server.URL(), append([]nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		w.t.Fatal(err)
	}
	return nc, js
}

func (w *world) stream(name string, subjects ...string) jetstream.Stream {
	w.t.Helper()
	return w.streamOf(jetstream.StreamConfig{Name: name, Subjects: subjects})
}

func (w *world) streamOf(cfg jetstream.StreamConfig) jetstream.Stream {
	w.t.Helper()
	var s jetstream.Stream
	var err error
	eventually(w.t, "the stream is made", func() bool {
		s, err = w.js.CreateOrUpdateStream(w.ctx, cfg)
		var api *jetstream.APIError // the files of one with that name are still being deleted
		return !errors.As(err, &api) || api.ErrorCode != 10049
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// stored returns how many messages a stream has.
func (w *world) stored(name string) uint64 {
	w.t.Helper()
	s, err := w.js.Stream(w.ctx, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// put publishes orders without a bridge, each until it is acknowledged: the
// server may have just come back.
func (w *world) put(subject string, orders ...Order) {
	w.t.Helper()
	for _, o := range orders {
		w.puts++
		id := jetstream.WithMsgID(fmt.Sprint("put-", w.puts))
		eventually(w.t, "a message is stored", func() bool {
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			_, err := w.js.Publish(ctx, subject, fmt.Appendf(nil, `{"id":%d,"key":%q}`, o.ID, o.Key), id)
			return err == nil
		})
	}
}

func (w *world) publish(s signals.Source[Order], subject string, opts ...natsignals.Option) *natsignals.Publisher {
	w.t.Helper()
	p, err := natsignals.Publish(w.ctx, w.js, s, subject, append([]natsignals.Option{natsignals.SyncAlways(), natsignals.Logger(quiet)}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { closeNow(p.Close) })
	return p
}

func (w *world) consume(stream, durable string, s *signals.AsyncSignal[Order], opts ...natsignals.Option) *natsignals.Consumer {
	w.t.Helper()
	c, err := natsignals.Consume(w.ctx, w.js, stream, durable, s, append([]natsignals.Option{natsignals.Logger(quiet), quick}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { closeNow(c.Close) })
	return c
}

var quick = natsignals.Backoff(5*time.Millisecond, 50*time.Millisecond)

// closeNow closes what a test may have closed already, and waits for no stuck
// listener.
func closeNow(fn func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = fn(ctx)
}

// eventually waits for a condition. It counts how often it has looked, which is
// less often on a busy machine, and not while the process is stopped.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 10_000 {
		if ok() {
			return
		}
		<-tick.C
	}
	t.Fatalf("not within 20 s: %s", what)
}

// record is a listener that remembers what it got.
type record struct {
	mu  sync.Mutex
	got []int
}

func (r *record) listen(_ context.Context, o Order) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, o.ID)
	return nil
}

func (r *record) ids() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *record) has(n int) func() bool { return func() bool { return len(r.ids()) >= n } }

func orders(n int) []Order {
	all := make([]Order, n)
	for i := range all {
		all[i].ID = i + 1
	}
	return all
}

func wantIDs(t testing.TB, got []int, n int) {
	t.Helper()
	for i := range n {
		if len(got) != n || got[i] != i+1 {
			t.Fatalf("got %v; want 1 to %d in order", got, n)
		}
	}
}

func async() *signals.AsyncSignal[Order] { return signals.New[Order](signals.Logger(quiet)) }

func closeSignal(t testing.TB, s *signals.AsyncSignal[Order]) {
	t.Cleanup(func() { closeNow(s.Close) })
}

// logs collects what is logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.buf.String(), s)
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(io.Writer(l), nil)) }

var errDeclined = errors.New("declined")

func goexit() { runtime.Goexit() }
