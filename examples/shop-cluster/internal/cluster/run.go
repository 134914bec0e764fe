package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"example.com/signals/examples/internal/english"
)

// Config is what Run is to do.
type Config struct {
	Data     string // the directory; empty: a temporary one
	Load     *Load  // nil: the one that the directory was begun with, or else the default
	NATS     string // URL of a cluster; empty: the embedded server
	Replicas int    // of the stream in a cluster
	Kills    int    // so often each process is killed
	Screen   *Screen

	heard func(role string, r report) // for tests: called by the loop; or nil
}

// Summary is what came of it.
type Summary struct {
	Want        Totals // of the whole load
	Orders      Totals // of each store
	Shipping    Totals
	Analytics   Totals
	Published   int            // events up to which the relay has published
	Kills       map[string]int // of each process
	Repeats     map[string]int // orders that came again, in all runs
	Interrupted bool
	Took        time.Duration
}

// cluster is a run. It belongs to one goroutine, the loop.
type cluster struct {
	Config
	home     *home
	broker   *broker
	want     Totals
	workers  []*worker
	messages chan message
	began    time.Time
	stopping bool
	running  int // processes
}

// Run replays the load through three processes, starts again what is killed, and
// returns when every order is handled, or, when ctx ends, with all stopped in
// good order. Then it checks the stores against the load.
func Run(ctx context.Context, config Config) (s Summary, err error) {
	c := &cluster{Config: config, messages: make(chan message, 64), began: time.Now()}
	if c.home, err = openHome(c.Data); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.home.close()) }()
	if err := c.settle(ctx); err != nil {
		return s, err
	}
	if c.broker, err = openBroker(ctx, c.home, c.NATS, quiet(c.Screen)); err != nil {
		return s, err
	}
	defer c.broker.close()
	if c.home.temporary {
		defer func() { err = errors.Join(err, c.broker.remove(&c.home.settings)) }()
	}
	c.Screen.Printf("%s", c.greeting())
	err = c.loop(ctx)
	s.Interrupted = ctx.Err() != nil && !c.done()
	if err != nil {
		return s, err
	}
	s.Want, s.Took = c.want, time.Since(c.began)
	s.Kills, s.Repeats = map[string]int{}, map[string]int{}
	for _, w := range c.workers {
		s.Kills[w.job.Role] = w.kills
	}
	c.Screen.Printf("Holding the stores against the load.")
	return s, s.check(context.WithoutCancel(ctx), c.home)
}

// settle decides what is replayed, and counts what it must come to.
func (c *cluster) settle(ctx context.Context) error {
	known, s := c.home.known, &c.home.settings
	switch {
	case known && c.Load != nil && *c.Load != s.Load:
		return fmt.Errorf("the shop in %s was begun with %s: go on with that, or give another -data", c.home.dir, s.Load)
	case known && s.Cluster != (c.NATS != ""):
		if s.Cluster {
			return fmt.Errorf("the shop in %s was begun in a cluster: name it with -nats, or give another -data", c.home.dir)
		}
		return fmt.Errorf("the shop in %s was begun with the embedded server: leave -nats away, or give another -data", c.home.dir)
	case known && s.Cluster && s.Replicas != c.Replicas:
		return fmt.Errorf("the shop in %s was begun with -replicas %d: go on with that, or give another -data", c.home.dir, s.Replicas)
	case !known:
		s.ID, s.Cluster, s.Replicas = newID(), c.NATS != "", 1
		if s.Cluster {
			s.Replicas = c.Replicas
		}
		s.Load = defaultLoad()
		if c.Load != nil {
			s.Load = *c.Load
		}
	}
	all := newTally()
	for o, err := range s.Load.All() {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		all.add(&o)
	}
	c.want = all.sum()
	switch {
	case c.want.Orders == 0:
		return fmt.Errorf("there are no orders in %s", s.Load)
	case known && s.Orders != c.want.Orders:
		return fmt.Errorf("%s has %s, and had %d when the shop in %s was begun: give another -data", s.Load, english.Plural(c.want.Orders, "order"), s.Orders, c.home.dir)
	}
	s.Orders = c.want.Orders
	return nil
}

func (c *cluster) greeting() string {
	where := "kept in " + c.home.dir
	if c.home.temporary {
		where = fmt.Sprintf("in %s until the end (-data DIR keeps it)", c.home.dir)
	}
	server := "the embedded server"
	if c.NATS != "" {
		server = fmt.Sprintf("%s, %s", redacted(c.broker.nc.ConnectedUrl()), english.Plural(c.home.settings.Replicas, "replica"))
	}
	return fmt.Sprintf("Replaying %s: %s, over %s; the data is %s.", c.home.settings.Load, english.Plural(c.want.Orders, "order"), server, where)
}

// loop runs until all is done, or has been stopped.
func (c *cluster) loop(ctx context.Context) (err error) {
	for _, role := range roles {
		w := &worker{job: job{Role: role, Dir: c.home.dir, URL: c.broker.url, Shop: c.home.settings}}
		for range c.Kills {
			w.due = append(w.due, rand.IntN(c.want.Orders))
		}
		slices.Sort(w.due)
		c.workers = append(c.workers, w)
	}
	for _, w := range c.workers {
		if err := c.start(w); err != nil {
			return errors.Join(err, c.stop())
		}
	}
	tick := time.NewTicker(drawEvery)
	defer tick.Stop()
	defer c.Screen.Table(nil, "") // what it shows last stays
	for !c.done() {
		select {
		case <-ctx.Done():
			c.Screen.Printf("Stopping: what has begun is finished (Ctrl-C again ends at once).")
			return c.stop()
		case m := <-c.messages:
			if err := c.hear(m); err != nil {
				return errors.Join(err, c.stop())
			}
		case <-tick.C:
			c.draw()
		}
	}
	c.draw()
	return c.stop()
}

func (c *cluster) start(w *worker) error {
	if err := w.start(c.messages, c.Screen); err != nil {
		return err
	}
	c.running++
	return nil
}

// done reports whether everybody has handled everything, and everything that was
// to be killed was.
func (c *cluster) done() bool {
	for _, w := range c.workers {
		if w.last.Orders < c.want.Orders || w.last.Behind > 0 || len(w.due) > 0 || w.armed {
			return false
		}
	}
	return len(c.workers) > 0
}

// hear takes what a worker says. A process that was killed is started again; one
// that ended with an error ends the run.
func (c *cluster) hear(m message) error {
	w := m.w
	switch {
	case m.report != nil && m.report.Waiting != "":
		w.last.Trouble = m.report.Waiting
	case m.report != nil:
		w.last = *m.report
		if c.heard != nil {
			c.heard(w.job.Role, w.last)
		}
		if w.state == "starting" {
			w.state = "running"
		}
		c.arm(w)
	case m.kill:
		c.kill(w)
	case m.ended:
		pid := w.cmd.Process.Pid
		w.stdin.Close()
		w.cmd, w.state, w.armed = nil, "ended", false
		c.running--
		switch {
		case m.failed != "":
			return fmt.Errorf("%s: %s", w.job.Role, m.failed)
		case c.stopping:
			return nil
		case m.err != nil && !killed(m.err):
			return fmt.Errorf("the process %s has ended by itself: %w", w.job.Role, m.err)
		}
		how := "stopped"
		if m.err != nil {
			how = "killed"
			w.kills++
		}
		c.Screen.Printf("%s  %s (pid %d) was %s at %s, and is started again",
			clock(time.Since(c.began)), w.job.Role, pid, how, english.Plural(w.last.Orders, "order"))
		return c.start(w)
	}
	return nil
}

// arm lets a process be killed, at any moment from now on, if it is time.
func (c *cluster) arm(w *worker) {
	if c.stopping || w.armed || len(w.due) == 0 || w.last.Orders < w.due[0] {
		return
	}
	w.armed = true
	time.AfterFunc(rand.N(2*reportEvery), func() { c.messages <- message{w: w, kill: true} })
}

// kill ends a process as kill -9 does.
func (c *cluster) kill(w *worker) {
	if w.armed && w.cmd != nil && !c.stopping {
		w.due = w.due[1:]
		_ = w.cmd.Process.Kill() // it may be gone already
	}
}

// stop ends the processes in good order, one after the other: no more orders,
// and then those who handle them. It returns when all are gone.
func (c *cluster) stop() (err error) {
	c.stopping = true
	for _, w := range c.workers {
		w.stop()
		late := time.NewTimer(finishIn + 5*time.Second)
		for w.cmd != nil {
			select {
			case m := <-c.messages:
				err = errors.Join(err, c.hear(m))
			case <-late.C:
				err = errors.Join(err, fmt.Errorf("%s did not stop in time and was killed", w.job.Role))
				_ = w.cmd.Process.Kill()
			}
			c.draw()
		}
		late.Stop()
	}
	return err
}
