package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals/faultfs"
	"example.com/signals/natsignals/embedded"
)

// serverEnv makes the test program a process with a server in that directory.
const serverEnv = "EMBEDDED_TEST_SERVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverEnv); dir != "" {
		server, err := embedded.Start(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(server.URL())
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

func TestWhatWasAcknowledgedIsThereAfterAPowerCut(t *testing.T) {
	disk := faultfs.Start(t, faultfs.Journal()) // the server syncs its files and not the directories that they are in
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env, cmd.Stderr = append(os.Environ(), serverEnv+"="+disk.Dir()), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	url := bufio.NewScanner(out)
	if !url.Scan() {
		t.Fatal("the server does not start")
	}
	nc, err := nats.Connect(url.Text(), nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	const n = 50
	for range n {
		if _, err := js.Publish(ctx, "s", []byte("message")); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := disk.PowerCut(faultfs.Tear{}); err != nil {
		t.Fatal(err)
	}
	server := start(t, disk.Dir())
	again, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if js, err = jetstream.New(again); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, "S")
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != n {
		t.Errorf("%d messages of the %d that were acknowledged", got, n)
	}
}
