package bridge_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
)

// connectTo starts a server with these options, on loopback, and connects.
func connectTo(t *testing.T, opts *server.Options, copts ...nats.Option) (*server.Server, jetstream.JetStream) {
	t.Helper()
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server takes no connections")
	}
	address := srv.ClientURL()
	if opts.Password != "" {
		address = strings.Replace(address, "//", "//u:"+opts.Password+"@", 1)
	}
	nc, err := nats.Connect(address, append(copts, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return srv, js
}

// both tries Publish and Consume, and wants that error of each.
func both(t *testing.T, js jetstream.JetStream, want error) {
	t.Helper()
	timeout := natsignals.Timeout(500 * time.Millisecond)
	_, err := natsignals.Publish(t.Context(), js, signals.NewSync[Order](), "orders.placed", natsignals.AcceptLoss(), timeout)
	if !errors.Is(err, want) {
		t.Errorf("Publish: %v; want %v", err, want)
	}
	_, err = natsignals.Consume(t.Context(), js, "ORDERS", "shipping", async(), timeout)
	if !errors.Is(err, want) {
		t.Errorf("Consume: %v; want %v", err, want)
	}
}

func TestAServerThatIsAwayIsUnreachable(t *testing.T) {
	srv, js := connectTo(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), Username: "u", Password: "s3cret"}, nats.MaxReconnects(-1))
	srv.Shutdown()
	srv.WaitForShutdown()
	eventually(t, "disconnected", func() bool { return !js.Conn().IsConnected() })
	both(t, js, natsignals.ErrUnreachable)
	_, err := natsignals.Publish(t.Context(), js, signals.NewSync[Order](), "orders.placed", natsignals.AcceptLoss())
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("%v; want the address and not the password", err)
	}
}

func TestAServerWithoutJetStreamIsNamed(t *testing.T) {
	_, js := connectTo(t, &server.Options{})
	both(t, js, natsignals.ErrNoJetStream)
}

func TestTheWrongAccountHasNoStream(t *testing.T) {
	_, js := connectTo(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	both(t, js, natsignals.ErrNoStream)
}

func TestAPermissionThatIsMissingIsNamed(t *testing.T) {
	dir := t.TempDir()
	user := &server.User{Username: "u", Password: "p", Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Deny: []string{"$JS.API.>"}}}}
	_, js := connectTo(t, &server.Options{JetStream: true, StoreDir: filepath.Join(dir, "js"), Users: []*server.User{user}}, nats.UserInfo("u", "p"))
	both(t, js, natsignals.ErrDenied)
}
