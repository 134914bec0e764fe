package cluster

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// servers are three NATS servers in this process, which are a cluster.
type servers struct {
	t       *testing.T
	options []server.Options
	nodes   []*server.Server
}

// freePort is one that nobody uses now.
func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func startServers(t *testing.T, n int) *servers {
	c := &servers{t: t, nodes: make([]*server.Server, n)}
	var routes []*url.URL
	dir := t.TempDir()
	for i := range n {
		o := server.Options{
			ServerName: fmt.Sprintf("node-%d", i), Host: "127.0.0.1", Port: freePort(t), JetStream: true,
			StoreDir: filepath.Join(dir, fmt.Sprint(i)), NoSigs: true, NoLog: true,
		}
		if n > 1 {
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: freePort(t)}
			routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", o.Cluster.Port)})
		}
		c.options = append(c.options, o)
	}
	for i := range n {
		c.options[i].Routes = routes
		c.start(i)
		t.Cleanup(func() { c.stop(i) })
	}
	return c
}

func (c *servers) start(i int) {
	o := c.options[i] // a server changes its options
	s, err := server.NewServer(&o)
	if err != nil {
		c.t.Error(err)
		return
	}
	s.Start()
	c.nodes[i] = s
}

func (c *servers) stop(i int) {
	c.nodes[i].Shutdown()
	c.nodes[i].WaitForShutdown()
}

func (c *servers) urls() string {
	var all []string
	for _, o := range c.options {
		all = append(all, fmt.Sprintf("nats://127.0.0.1:%d", o.Port))
	}
	return strings.Join(all, ",")
}

// js returns a connection's JetStream, once the cluster has all its servers and a
// leader.
func (c *servers) js() jetstream.JetStream {
	c.t.Helper()
	for _, s := range c.nodes {
		if !s.ReadyForConnections(time.Minute) {
			c.t.Fatal("a server takes no connections")
		}
	}
	nc, err := nats.Connect(c.urls())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		stream, err := js.CreateStream(c.t.Context(), jetstream.StreamConfig{Name: "READY", Replicas: len(c.nodes)})
		if err == nil {
			_ = js.DeleteStream(c.t.Context(), stream.CachedInfo().Config.Name)
			return js
		}
		select {
		case <-tick.C:
		case <-c.t.Context().Done():
			c.t.Fatal(err)
		}
	}
}

// nothingLeft waits until no server knows a stream of a shop: one that was away
// hears of the end of one later.
func nothingLeft(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); ; {
		var left []string
		names := js.StreamNames(t.Context())
		for name := range names.Name() {
			left = append(left, name)
		}
		if len(left) == 0 && names.Err() == nil {
			return
		}
		if time.Now().After(end) {
			t.Errorf("left behind: %q, %v", left, names.Err())
			return
		}
		<-tick.C
	}
}

func TestClusterWhoseServersComeAndGo(t *testing.T) {
	nodes := startServers(t, 3)
	js := nodes.js()
	next, restarted := 100, make(chan struct{}, 3)
	s, err := Run(t.Context(), Config{
		Load: &Load{Orders: 500}, NATS: nodes.urls(), Replicas: 3, Kills: 1, Screen: quietly(t),
		heard: func(role string, r report) {
			if role != "analytics" || r.Orders < next || next > 300 {
				return
			}
			i := next/100 - 1
			next += 100
			go func() {
				nodes.stop(i)
				nodes.start(i)
				restarted <- struct{}{}
			}()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-restarted
	}
	expect(t, s, known(t))
	nothingLeft(t, js)
}

func TestOneServerNeedsToBeAccepted(t *testing.T) {
	node := startServers(t, 1)
	js := node.js()
	_, err := Run(t.Context(), Config{Load: &Load{Orders: 500}, NATS: node.urls(), Replicas: 3, Screen: quietly(t)})
	if err == nil || !strings.Contains(err.Error(), "-replicas 1 accepts") {
		t.Errorf("got %v", err)
	}
	s, err := Run(t.Context(), Config{Load: &Load{Orders: 500}, NATS: node.urls(), Replicas: 1, Screen: quietly(t)})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, s, known(t))
	nothingLeft(t, js)
}

// The server is away for a while in the middle: all wait for it.
func TestServerThatGoesAwayAndComesBack(t *testing.T) {
	node := startServers(t, 1)
	js := node.js()
	away, back := false, make(chan struct{})
	s, err := Run(t.Context(), Config{
		Load: &Load{Orders: 500}, NATS: node.urls(), Replicas: 1, Screen: quietly(t),
		heard: func(role string, r report) {
			if role != "shipping" {
				return
			}
			switch {
			case !away && r.Orders >= 50:
				away = true
				node.stop(0)
			case away && strings.Contains(r.Trouble, "no connection"):
				select {
				case <-back:
				default:
					close(back)
					node.start(0)
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	<-back
	expect(t, s, known(t))
	nothingLeft(t, js)
}

// Over a cluster there is no server in the directory that would refuse the second.
func TestSecondProgramInTheSameDirectoryIsRefusedAndTheFirstGoesOn(t *testing.T) {
	node := startServers(t, 1)
	node.js()
	dir := t.TempDir()
	config := Config{Data: dir, Load: &Load{Orders: 500}, NATS: node.urls(), Replicas: 1, Screen: quietly(t)}
	var second error
	tried := false
	config.heard = func(role string, r report) {
		if !tried && role == "shipping" && r.Orders >= 50 {
			tried = true
			other := config
			other.heard = nil
			_, second = Run(t.Context(), other)
		}
	}
	s, err := Run(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if !tried || second == nil || !strings.Contains(second.Error(), "another shop-cluster is at work in "+dir) {
		t.Errorf("the second: %v; want it refused", second)
	}
	expect(t, s, known(t))
	s, err = Run(t.Context(), Config{Data: dir, NATS: node.urls(), Replicas: 1, Screen: quietly(t)}) // when it has ended
	if err != nil {
		t.Fatal(err)
	}
	expect(t, s, known(t))
}

func TestServerWithoutJetStream(t *testing.T) {
	node := &servers{
		t: t, nodes: make([]*server.Server, 1),
		options: []server.Options{{Host: "127.0.0.1", Port: freePort(t), NoSigs: true, NoLog: true}},
	}
	node.start(0)
	t.Cleanup(func() { node.stop(0) })
	_, err := Run(t.Context(), Config{Load: &Load{Orders: 5}, NATS: node.urls(), Replicas: 1, Screen: quietly(t)})
	if err == nil || !strings.Contains(err.Error(), "has no JetStream") {
		t.Errorf("got %v", err)
	}
}
