package natsignals

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestAStreamThatIsLessThanDeclaredIsRefusedWithBothValues(t *testing.T) {
	good := jetstream.StreamConfig{Name: "ORDERS", Replicas: 3, Storage: jetstream.FileStorage, Duplicates: 2 * time.Minute}
	for name, c := range map[string]struct {
		opts   []Option
		change func(*jetstream.StreamConfig)
		want   string // "" if it is good
	}{
		"three copies on file":            {[]Option{Replicas(3)}, func(*jetstream.StreamConfig) {}, ""},
		"more than declared":              {[]Option{Replicas(3)}, func(c *jetstream.StreamConfig) { c.Replicas = 5 }, ""},
		"one copy":                        {[]Option{Replicas(3)}, func(c *jetstream.StreamConfig) { c.Replicas = 1 }, "num_replicas 1; want 3"},
		"three copies of five":            {[]Option{Replicas(5)}, func(*jetstream.StreamConfig) {}, "num_replicas 3; want 5"},
		"three copies in memory":          {[]Option{Replicas(3)}, func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "storage Memory; want File"},
		"in memory and said to be synced": {[]Option{SyncAlways()}, func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "storage Memory; want File"},
		"written later":                   {[]Option{SyncAlways()}, func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }, "persist_mode async; want default"},
		"a short window":                  {[]Option{AcceptLoss(), Window(time.Hour)}, func(*jetstream.StreamConfig) {}, "duplicate_window 2m0s; want 1h0m0s"},
		"no acknowledgements":             {[]Option{AcceptLoss()}, func(c *jetstream.StreamConfig) { c.NoAck = true }, "no_ack true; want false"},
		"loss accepted":                   {[]Option{AcceptLoss()}, func(c *jetstream.StreamConfig) { c.Storage, c.Replicas = jetstream.MemoryStorage, 1 }, ""},
	} {
		conf, err := configure(publishing, c.opts)
		if err != nil {
			t.Fatal(err)
		}
		cfg := good
		c.change(&cfg)
		switch err := conf.checkStream(&jetstream.StreamInfo{Config: cfg}); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v; want no error", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `stream "ORDERS"`)):
			t.Errorf("%s: %v; want an error of the stream with %q", name, err, c.want)
		}
	}
}
