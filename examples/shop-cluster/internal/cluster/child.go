package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals/eventstore/sqlite"
	"example.com/signals/natsignals"
)

// childEnv has the job of a child, as JSON. It is in the environment, since
// everybody can read command lines, and the URL may have a password.
const childEnv = "SHOP_CLUSTER_CHILD"

// job is what a child is told at its start.
type job struct {
	Role string // orders, shipping or analytics
	Dir  string
	URL  string
	Shop settings
}

// report is what a child says, several times a second.
type report struct {
	Orders  int    // handled; of the process orders, in its store
	Behind  uint64 // of orders: not yet published
	Repeats int    // deliveries that were done already
	Total   string
	Trouble string // what is in the way now, or ""
	Failed  string // why the process ends
	Waiting string // for what, before it has begun; the rest means nothing then
}

// stopWord is what the parent writes on the standard input of a child that is to
// end in good order. The end of that input without it is the end of the parent.
const stopWord = "stop"

// How often a child reports, and for how long it tries to begin: the server may
// be about to come back, and a killed process about to be gone.
const (
	reportEvery = 100 * time.Millisecond
	beginWithin = 30 * time.Second
	finishIn    = 10 * time.Second
)

// Child is the program if it was started by itself; otherwise child is false.
func Child() (code int, child bool) {
	text, child := os.LookupEnv(childEnv)
	if !child {
		return 0, false
	}
	// Ctrl-C reaches all processes of a terminal. What to do is for the parent to say.
	signal.Ignore(os.Interrupt)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	go obey(cancel)
	out := &reporter{to: json.NewEncoder(os.Stdout)}
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		err = j.run(ctx, out)
	}
	switch {
	case err == nil, errors.Is(err, context.Canceled): // it was told to end
		return 0, true
	case ctx.Err() != nil:
		fmt.Fprintf(os.Stderr, "not all could be finished, and is left to the next start: %v\n", err)
		return 0, true
	}
	out.say(report{Failed: err.Error()})
	return 1, true
}

// obey ends the process in good order when the parent says so, and at once when
// the parent is gone, however it went: all that matters is on the disk.
func obey(stop func()) {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == stopWord {
			stop()
		}
	}
	os.Exit(1)
}

// reporter writes reports, one a line.
type reporter struct {
	mu sync.Mutex
	to *json.Encoder // guarded by mu
}

func (r *reporter) say(what report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.to.Encode(what) // who reads it is gone: obey knows, too
}

// process is one of the three at work.
type process interface {
	report(ctx context.Context) (report, error)
	failed() <-chan error
	close(ctx context.Context) error
}

func (j *job) run(ctx context.Context, out *reporter) (err error) {
	slog.SetDefault(quiet(os.Stderr))
	db, err := persist(ctx, out, func() (*sqlite.DB, error) { return sqlite.Open(storeOf(j.Dir, j.Role)) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	nc, err := persist(ctx, out, func() (*nats.Conn, error) { return connect(j.URL) })
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	p, err := persist(ctx, out, func() (process, error) { return j.begin(ctx, db, js) })
	if err != nil {
		return err
	}
	finish := context.WithoutCancel(ctx)
	defer func() {
		ending, cancel := context.WithTimeout(finish, finishIn)
		defer cancel()
		err = errors.Join(err, p.close(ending))
		if last, reportErr := p.report(finish); reportErr == nil {
			out.say(last)
		}
	}()
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		now, err := p.report(finish)
		if err != nil {
			return err
		}
		if !nc.IsConnected() {
			now.Trouble = "no connection to the server"
		}
		out.say(now)
		select {
		case <-ctx.Done():
			return nil
		case err := <-p.failed():
			return err
		case <-tick.C:
		}
	}
}

func (j *job) begin(ctx context.Context, db *sqlite.DB, js jetstream.JetStream) (process, error) {
	switch j.Role {
	case "orders":
		return beginOrders(ctx, j, db, js)
	case "shipping":
		return beginDepartment(ctx, j, db, js, shipping)
	case "analytics":
		return beginDepartment(ctx, j, db, js, analytics)
	}
	return nil, fmt.Errorf("no process is called %q", j.Role)
}

// quiet logs errors only: where processes are killed all the time, there is a
// lot to warn of.
func quiet(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelError}))
}

// storeOf is the file of a process.
func storeOf(dir, role string) string { return filepath.Join(dir, role+".db") }

// persist tries again what fails because somebody else is not there yet, or
// still there.
func persist[T any](ctx context.Context, out *reporter, try func() (T, error)) (T, error) {
	for began, wait := time.Now(), 50*time.Millisecond; ; wait = min(2*wait, time.Second) {
		v, err := try()
		if err == nil || !passes(err) || time.Since(began) > beginWithin {
			return v, err
		}
		out.say(report{Waiting: err.Error()})
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// passes reports whether what failed may succeed soon.
func passes(err error) bool {
	for _, soon := range []error{
		sqlite.ErrLocked, nats.ErrNoServers, nats.ErrTimeout, nats.ErrConnectionClosed, jetstream.ErrNoStreamResponse,
		natsignals.ErrUnreachable, natsignals.ErrNoAnswer, natsignals.ErrNotAcknowledged, context.DeadlineExceeded,
	} {
		if errors.Is(err, soon) {
			return true
		}
	}
	return false
}
