package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/signals/inspector"
)

func TestChaosIsFoundByTheInspector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, func(c *Config) { c.Restock = 1000 })
		api := NewAPI(s)
		defer api.insp.Close()
		chaos := StartChaos(s)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			live := Live{Shop: s, Screen: NewScreen(&bytes.Buffer{}, 0), Seed: 1, Speed: 1, Forever: true}
			live.Run(ctx)
		}()

		// It looks for as long as a stuck listener needs to be called so.
		w := local(t, api, "/signals/diagnosis.json?stacks=1&wait=9s")
		var d inspector.Diagnosis
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		found := map[string]inspector.Finding{}
		for _, f := range d.Findings {
			found[f.Kind+" "+f.Name] = f
		}
		stuck := found[inspector.FindingStuck+" fraud-check"]
		if stuck.Signal != "order.accepted" || stuck.Function != "shop.(*Chaos).checkFraud" ||
			!strings.HasPrefix(stuck.Site, "shop/chaos.go:") || stuck.Running < stuckAfter.Seconds() ||
			len(stuck.Stacks) != 1 || !strings.Contains(stuck.Stacks[0], "checkFraud") {
			t.Errorf("stuck: %+v", stuck)
		}
		if slow := found[inspector.FindingLag+" recommendations"]; slow.Signal != "order.accepted" || slow.Count == 0 ||
			!strings.HasPrefix(slow.Site, "shop/chaos.go:") {
			t.Errorf("slow: %+v", slow)
		}
		if t.Failed() {
			t.Logf("%s", w.Body)
		}
		if lag := busy(s.departments()); lag != 0 {
			t.Errorf("%d departments are behind: %s", lag, lags(s.departments()))
		}

		stop()
		<-ended
		for range 2 {
			if err := chaos.Release(t.Context()); err != nil {
				t.Error(err)
			}
		}
		closed(t, s)
	})
}
