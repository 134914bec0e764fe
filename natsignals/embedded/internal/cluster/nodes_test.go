//go:build linux

package cluster_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const nodes = 3

// world is a cluster, the links between its servers, and how to connect.
type world struct {
	t     testing.TB
	ctx   context.Context
	bin   string
	nodes [nodes]*node
}

// node is one server: a process in a namespace that outlives it.
type node struct {
	w      *world
	i      int
	dir    string
	holder *exec.Cmd
	input  io.Closer // of the holder: closed, it ends
	server *exec.Cmd // nil while it is down
}

func (n *node) ip() string   { return fmt.Sprintf("10.77.0.%d", n.i+1) }
func (n *node) link() string { return fmt.Sprintf("link%d", n.i) }

// newWorld builds the server, makes the namespaces and starts all servers,
// which store in those directories, or in some of their own.
func newWorld(t testing.TB, syncInterval string, stores ...string) *world {
	t.Helper()
	if skipReason != "" {
		t.Skip(skipReason)
	}
	w := &world{t: t, ctx: context.Background(), bin: filepath.Join(t.TempDir(), "nats-server")}
	w.must(run("go", "build", "-o", w.bin, "github.com/nats-io/nats-server/v2"))
	w.must(run("ip", "link", "set", "lo", "up"))
	w.must(run("ip", "link", "add", "hub", "type", "bridge"))
	w.must(run("ip", "addr", "add", "10.77.0.254/24", "dev", "hub"))
	w.must(run("ip", "link", "set", "hub", "up"))
	t.Cleanup(func() { _ = run("ip", "link", "del", "hub") })
	for i := range w.nodes {
		store := t.TempDir()
		if len(stores) > 0 {
			store = stores[i]
		}
		w.nodes[i] = w.newNode(i, syncInterval, store)
	}
	for _, n := range w.nodes {
		n.start()
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newNode(i int, syncInterval, store string) *node {
	n := &node{w: w, i: i, dir: w.t.TempDir()}
	n.holder = exec.Command(os.Args[0])
	n.holder.Env = append(os.Environ(), roleVar+"="+roleHold)
	n.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	in, err := n.holder.StdinPipe()
	w.must(err)
	n.input = in
	w.must(n.holder.Start())
	w.t.Cleanup(func() {
		n.kill()
		_ = in.Close()
		_ = n.holder.Wait()
		_ = run("ip", "link", "del", n.link())
	})
	pid := fmt.Sprint(n.holder.Process.Pid)
	w.must(run("ip", "link", "add", n.link(), "type", "veth", "peer", "name", "eth0", "netns", pid))
	w.must(run("ip", "link", "set", n.link(), "master", "hub", "up"))
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"addr", "add", n.ip() + "/24", "dev", "eth0"}, {"link", "set", "eth0", "up"}} {
		w.must(run("nsenter", append([]string{"-t", pid, "-n", "ip"}, args...)...))
	}
	var routes []string
	for j := range nodes {
		routes = append(routes, fmt.Sprintf(`"nats://10.77.0.%d:6222"`, j+1))
	}
	w.must(os.WriteFile(filepath.Join(n.dir, "conf"), fmt.Appendf(nil, `
server_name: n%d
listen: "%s:4222"
jetstream { store_dir: %q, sync_interval: %s }
cluster { name: c, listen: "%[2]s:6222", routes: [%[5]s] }
ping_interval: "1s"
ping_max: 2
`, i, n.ip(), store, syncInterval, strings.Join(routes, ", ")), 0o600))
	return n
}

// start starts the server of a node that is down.
func (n *node) start() {
	n.w.t.Helper()
	log, err := os.OpenFile(filepath.Join(n.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	n.w.must(err)
	defer log.Close() // the server has a copy
	n.server = exec.Command("nsenter", "-t", fmt.Sprint(n.holder.Process.Pid), "-n", n.w.bin, "-c", filepath.Join(n.dir, "conf"))
	n.server.Env = append(os.Environ(), "GOMAXPROCS=1")
	n.server.Stdout, n.server.Stderr = log, log
	n.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	n.w.must(n.server.Start())
}

// kill ends the server as a crash does.
func (n *node) kill() {
	if n.server == nil {
		return
	}
	_ = n.server.Process.Signal(syscall.SIGCONT)
	_ = n.server.Process.Kill()
	_ = n.server.Wait()
	n.server = nil
}

func (n *node) pause()  { n.w.must(n.server.Process.Signal(syscall.SIGSTOP)) }
func (n *node) resume() { n.w.must(n.server.Process.Signal(syscall.SIGCONT)) }

// cut and mend take the cable out and put it back.
func (n *node) cut()  { n.w.must(run("ip", "link", "set", n.link(), "down")) }
func (n *node) mend() { n.w.must(run("ip", "link", "set", n.link(), "up")) }

func (w *world) connect(name string) (*nats.Conn, jetstream.JetStream) {
	w.t.Helper()
	var urls []string
	for _, n := range w.nodes {
		urls = append(urls, "nats://"+n.ip()+":4222")
	}
	var nc *nats.Conn
	eventually(w.t, 30*time.Second, "a server takes connections", func() bool {
		var err error
		nc, err = nats.Connect(strings.Join(urls, ","), nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
			nats.Timeout(time.Second), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		return err == nil
	})
	w.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	w.must(err)
	return nc, js
}

// retried runs fn until it succeeds: the cluster may have no leader yet.
func (w *world) retried(what string, fn func(ctx context.Context) error) {
	w.t.Helper()
	var last error
	end := time.Now().Add(60 * time.Second)
	eventually(w.t, 61*time.Second, what, func() bool {
		ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
		defer cancel()
		if last = fn(ctx); last != nil && time.Now().After(end) {
			w.t.Fatalf("%s: %v", what, last)
		}
		return last == nil
	})
}

// leader returns the node that leads a stream, or the first if none does.
func (w *world) leader(js jetstream.JetStream, stream string) *node {
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
	defer cancel()
	if s, err := js.Stream(ctx, stream); err == nil && s.CachedInfo().Cluster != nil {
		for i, n := range w.nodes {
			if s.CachedInfo().Cluster.Leader == fmt.Sprint("n", i) {
				return n
			}
		}
	}
	return w.nodes[0]
}
