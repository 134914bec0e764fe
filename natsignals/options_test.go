package natsignals

import (
	"strings"
	"testing"
	"time"
)

func TestTheWaitDoublesUpToTheLongest(t *testing.T) {
	c, err := configure(consuming, []Option{Backoff(time.Second, 5*time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{1, 2, 4, 5, 5} {
		if got := c.wait(i + 1); got != want*time.Second {
			t.Errorf("after %d failures: %v; want %v", i+1, got, want*time.Second)
		}
	}
	if got := c.wait(1 << 40); got != 5*time.Second {
		t.Errorf("after very many: %v", got)
	}
}

func TestOptionsThatMakeNoSenseAreErrors(t *testing.T) {
	for want, o := range map[string]Option{
		"Ordered(0)": Ordered(0), "InFlight(0)": InFlight(0), "Retrying(-1)": Retrying(-1), "AckWait(1ms)": AckWait(time.Millisecond),
		"Backoff(2s, 1s)": Backoff(2*time.Second, time.Second), "Attempts(0)": Attempts(0), "FromSequence(0)": FromSequence(0),
		`DeadLetter("")`: DeadLetter(""), "Timeout(0s)": Timeout(0), "WithCodec(nil)": WithCodec(nil), "Logger(nil)": Logger(nil),
		"CheckEvery(0s)": CheckEvery(0), "Replicas(1)": Replicas(1), "AcceptLoss": AcceptLoss(),
	} {
		_, err := configure(consuming, []Option{o})
		if want == "AcceptLoss" {
			if err != nil {
				t.Errorf("AcceptLoss: %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error with it", want, err)
		}
	}
	for want, o := range map[string]Option{"ID(nil)": ID[int](nil), "Partitioned(0": Partitioned(0, func(int) string { return "" }), "Window(0s)": Window(0)} {
		if _, err := configure(publishing, []Option{o}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error with it", want, err)
		}
	}
}

// The partition of a key is part of what is stored: it may never change.
func TestThePartitionOfAKeyIsFixed(t *testing.T) {
	for key, want := range map[string]string{"": "s.5", "a": "s.4", "customer-17": "s.0"} {
		if got := PartitionOf("s", key, 8); got != want {
			t.Errorf("%q is in %s; want %s", key, got, want)
		}
	}
}

func TestKeysOfABucketAreDistinctAndAllowed(t *testing.T) {
	seen := make(map[string]string)
	for _, text := range []string{"", "a", "a.b", "a b", "=YQ", "=", "ü", "a*", "key_1/x-Y"} {
		for _, name := range []string{"", "n", "n.m"} {
			key := keyOf(name, text)
			if other, ok := seen[key]; ok {
				t.Errorf("%q and %q are both %q", other, name+"|"+text, key)
			}
			seen[key] = name + "|" + text
			if key == "" || strings.ContainsAny(key, " *>ü") || strings.HasPrefix(key, ".") || strings.HasSuffix(key, ".") {
				t.Errorf("%q of %q is no key", key, text)
			}
		}
	}
}

func TestAHeaderIsOneShortLine(t *testing.T) {
	if got := headerText("a\r\nb\x00" + strings.Repeat("x", 5000)); strings.ContainsAny(got, "\r\n\x00") || len(got) > 1100 {
		t.Errorf("%d bytes: %q...", len(got), got[:20])
	}
}
