package inspector

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

var stateOnPage = regexp.MustCompile(`<span class="status (\w*) (\w+)">(?:<b aria-hidden="true">([^<]*)</b> )?`)

func TestAStateHasOneSignAndOneColourWhereverItIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus, StuckAfter(time.Second))
		defer i.Close()
		fill(t, bus) // failing, unheard
		gate := make(chan struct{})
		stuck := signals.Topic[int](bus, "stuck")
		stuck.Subscribe(waitFor(gate).listen, signals.Key("waits"))
		stuck.Emit(t.Context(), 1)
		lossy := signals.Topic[int](bus, "lossy")
		lossy.Subscribe(func(context.Context, int) error { time.Sleep(time.Millisecond); return nil }, signals.Key("last"), signals.MaxLag(1, signals.KeepLatest))
		late := signals.Topic[int](bus, "late")
		late.Subscribe(func(context.Context, int) error { time.Sleep(100 * time.Millisecond); return nil }, signals.Key("slow"))
		for range 5 {
			for range 60 {
				late.Emit(t.Context(), 1)
				lossy.Emit(t.Context(), 1)
			}
			time.Sleep(time.Second)
			i.fresh()
		}
		seen := map[string]int{}
		for _, path := range []string{"", "signal?signal=order.accepted", "signal?signal=stuck", "signal?signal=lossy", "signal?signal=late", "graph"} {
			for _, m := range stateOnPage.FindAllStringSubmatch(get(t, i, path), -1) {
				seen[m[2]]++
				if m[1] != class(Status(m[2])) || m[3] != sign(Status(m[2])) {
					t.Errorf("%q: %s is shown as %q with %q", path, m[2], m[1], m[3])
				}
			}
		}
		for _, want := range []Status{StatusStuck, StatusFailing, StatusLagging, StatusDropping, StatusUnheard, StatusOK} {
			if seen[string(want)] == 0 {
				t.Errorf("no page shows %s: %v", want, seen)
			}
		}
		page := get(t, i, "diagnosis")
		for _, f := range i.diagnosis(recent, false).Findings {
			if f.Severity != SeverityInfo && !strings.Contains(page, fmt.Sprintf(`<li class="finding %s %s"><span class="what"><b aria-hidden="true">%s</b>`, class(f.Status), f.Severity, sign(f.Status))) {
				t.Errorf("the finding of %s, %s, is not in the colour of %s", f.Signal, f.Kind, f.Status)
			}
		}
		legend := get(t, i, "graph")
		for _, s := range []Status{StatusStuck, StatusFailing, StatusLagging, StatusDropping, StatusUnheard} {
			if !strings.Contains(legend, fmt.Sprintf(`<span class="%s"><b>%s</b>`, class(s), sign(s))) {
				t.Errorf("the legend does not have %s", s)
			}
		}
		close(gate)
		late.Reset()
		time.Sleep(2 * time.Second)
	})
}
