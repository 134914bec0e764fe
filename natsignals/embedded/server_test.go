package embedded_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals/natsignals/embedded"
)

func start(t *testing.T, dir string) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(dir, embedded.Logger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestWhatWasStoredIsThereAfterARestart(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	for i := range 2 {
		s := start(t, dir)
		nc, err := s.Connect()
		if err != nil {
			t.Fatal(err)
		}
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := stream.CachedInfo().State.Msgs; got != uint64(i) {
			t.Errorf("start %d: %d messages; want %d", i+1, got, i)
		}
		if _, err := js.Publish(ctx, "s", nil); err != nil {
			t.Fatal(err)
		}
		nc.Close()
		s.Close()
		s.Close() // again
	}
}

func TestOtherProcessesReachItOnLoopbackOnly(t *testing.T) {
	if url := start(t, t.TempDir()).URL(); !strings.HasPrefix(url, "nats://127.0.0.1:") {
		t.Errorf("URL is %s; want the loopback interface", url)
	}
}

func TestADirectoryHasOneServer(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	if _, err := embedded.Start(dir); err == nil || !strings.Contains(err.Error(), "another server uses the directory") {
		t.Errorf("a second server: %v; want an error", err)
	}
	first.Close()
	start(t, dir)
}

func TestStartRefusesWhatMakesNoSense(t *testing.T) {
	for name, c := range map[string]struct {
		dir  string
		opt  embedded.Option
		want string
	}{
		"no directory": {"", embedded.Name("x"), "no directory"},
		"no port":      {t.TempDir(), embedded.Listen("127.0.0.1"), "host:port"},
		"nil":          {t.TempDir(), nil, "Option is nil"},
		"a file":       {"server_test.go", embedded.Name("x"), "directory"},
	} {
		if _, err := embedded.Start(c.dir, c.opt); err == nil || !strings.HasPrefix(err.Error(), "embedded: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want an error with %q", name, err, c.want)
		}
	}
}

func TestAnAddressThatIsTakenIsAnErrorAtOnce(t *testing.T) {
	addr := strings.TrimPrefix(start(t, t.TempDir()).URL(), "nats://")
	dir, failed := t.TempDir(), make(chan error, 1)
	go func() {
		_, err := embedded.Start(dir, embedded.Listen(addr), embedded.Logger(slog.New(slog.DiscardHandler)))
		failed <- err
	}()
	select {
	case err := <-failed:
		if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%v; want an error that names the address and says that it is in use", err)
		}
	case <-time.After(30 * time.Second): // half of what Start waits for connections
		t.Fatal("Start waits for connections that it will never get")
	}
	start(t, dir) // which is free
}
