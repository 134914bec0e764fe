package inspector

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// kinds are the findings, as "severity kind signal listener".
func kinds(d Diagnosis) (got []string) {
	for _, f := range d.Findings {
		got = append(got, strings.TrimSpace(strings.Join([]string{string(f.Severity), f.Kind, f.Signal, f.Name}, " ")))
	}
	return got
}

func wantKinds(t *testing.T, when string, d Diagnosis, want ...string) {
	t.Helper()
	if got := kinds(d); !slices.Equal(got, want) {
		t.Errorf("%s: found\n%s\nwant\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	bad := slices.ContainsFunc(want, func(s string) bool { return !strings.HasPrefix(s, "info") })
	if d.Healthy == bad {
		t.Errorf("%s: healthy is %v", when, d.Healthy)
	}
}

func TestAStuckListenerIsFoundWithHowLongAndItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus, StuckAfter(5*time.Second))
		defer i.Close()
		s := signals.Topic[int](bus, "s")
		gate := make(chan struct{})
		s.Subscribe(waitFor(gate).listen, signals.Key("mail"))
		s.AddListener(func(context.Context, int) {}, "fine")
		for range 4 {
			s.Emit(t.Context(), 1)
		}
		synctest.Wait()
		time.Sleep(4 * time.Second)
		wantKinds(t, "after 4s", i.at(0))
		time.Sleep(8 * time.Second)
		d := getJSON[Diagnosis](t, i, "diagnosis.json?stacks=1")
		wantKinds(t, "after 12s", d, "error stuck s mail")
		f := d.Findings[0]
		if f.Running != 12 || !strings.Contains(f.Text, "12s") || !strings.Contains(f.Text, "3 emissions wait") {
			t.Errorf("running %vs, %q", f.Running, f.Text)
		}
		if len(f.Stacks) != 1 || !strings.Contains(f.Stacks[0], "waitFor.listen") {
			t.Errorf("stacks %q", f.Stacks)
		}
		page := get(t, i, "stacks?signal=s&listener=mail")
		if !strings.Contains(page, "waitFor.listen") {
			t.Errorf("the page of stacks does not show it:\n%s", page)
		}
		if st := getJSON[Stacks](t, i, "stacks.json?signal=s&listener=fine"); len(st.Stacks) != 0 {
			t.Errorf("a listener that does not run has stacks %q", st.Stacks)
		}
		if w := do(i, request("stacks.json?signal=s&listener=nobody")); w.Code != 404 {
			t.Errorf("no such listener: %d; want 404", w.Code)
		}
		close(gate)
		synctest.Wait()
		time.Sleep(time.Second)
		wantKinds(t, "when it has gone on", i.at(0))
	})
}

type waitFor chan struct{}

func (w waitFor) listen(context.Context, int) error {
	<-w
	return nil
}

// at is the diagnosis after some time.
func (i *Inspector) at(d time.Duration) Diagnosis {
	time.Sleep(d) // the bubble's clock: nobody waits
	i.fresh()
	return i.diagnosis(recent, false)
}

func TestTheDiagnosisFindsWhatIsWrongAndForgetsItLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		ctx := t.Context()

		failing := signals.NewSync[int](signals.Name("failing"), signals.OnBus(bus))
		failing.Subscribe(func(_ context.Context, n int) error {
			if n == 0 {
				return errors.New("no")
			}
			return nil
		}, signals.Key("sometimes"))
		failing.Subscribe(func(context.Context, int) error { return errors.New("no") }, signals.Key("always"))
		for n := range 3 {
			failing.Emit(ctx, n)
		}
		unheard := signals.Topic[int](bus, "unheard")
		unheard.Emit(ctx, 1)
		signals.Topic[int](bus, "silent").AddListener(func(context.Context, int) {}, "l")
		filtered := signals.NewSync[int](signals.Name("filtered"), signals.OnBus(bus))
		filtered.Subscribe(func(context.Context, int) error { return nil }, signals.Key("never"), signals.Filter(func(int) bool { return false }))
		filtered.Emit(ctx, 1)
		gate := make(chan struct{})
		full := signals.Topic[int](bus, "full", signals.Capacity(1, signals.Reject))
		full.AddListener(func(context.Context, int) { <-gate }, "l")
		lossy := signals.Topic[int](bus, "lossy")
		lossy.Subscribe(func(context.Context, int) error { <-gate; return nil }, signals.Key("last"), signals.MaxLag(1, signals.KeepLatest))
		synctest.Wait()
		for range 3 {
			full.Emit(ctx, 1)
			lossy.Emit(ctx, 1)
			synctest.Wait()
		}
		close(gate)
		synctest.Wait()
		wantKinds(t, "at once", i.at(time.Second),
			"error failing failing always",
			"warning failing failing sometimes",
			"warning refusals full",
			"warning drops lossy last",
			"warning unheard unheard",
			"info silent silent",
			"info silent filtered never",
		)
		var d Diagnosis
		for range 15 {
			d = i.at(10 * time.Second)
		}
		wantKinds(t, "minutes later", d,
			"info unheard unheard",
			"info failing failing sometimes",
			"info failing failing always",
			"info refusals full",
			"info drops lossy last",
			"info silent silent",
			"info silent filtered never",
		)
	})
}

func TestGrowingLagIsFoundAndGoneWhenItShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.Topic[int](bus, "s")
		s.AddListener(func(context.Context, int) { time.Sleep(10 * time.Millisecond) }, "slow") // 100 a second
		emit := func(n, seconds int) {
			for range seconds {
				for range n {
					s.Emit(t.Context(), 1)
				}
				time.Sleep(time.Second)
				i.fresh()
			}
		}
		emit(200, 6)
		d := i.diagnosis(recent, false)
		wantKinds(t, "at twice its pace", d, "warning lag s slow")
		if text := d.Findings[0].Text; !strings.Contains(text, "more each second") {
			t.Error(text)
		}
		emit(10, 6)
		wantKinds(t, "when it has caught up", i.at(time.Second))
		emit(50, 3)
		wantKinds(t, "at half its pace", i.at(time.Second))
	})
}

func TestDiagnosisLooksForAsLongAsItIsAskedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := quietBus()
		i := New(bus)
		defer i.Close()
		s := signals.Topic[int](bus, "s")
		s.AddListener(func(context.Context, int) { time.Sleep(time.Second) }, "slow")
		go func() {
			for range 50 {
				for range 100 {
					s.Emit(context.Background(), 1)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
		defer func() {
			time.Sleep(2 * time.Second)
			s.Reset()
			time.Sleep(2 * time.Second)
		}()
		begun := time.Now()
		d := getJSON[Diagnosis](t, i, "diagnosis.json?wait=4s")
		if took := time.Since(begun); took != 4*time.Second {
			t.Errorf("it took %v; want 4s", took)
		}
		wantKinds(t, "after 4s", d, "warning lag s slow")
		for _, wait := range []string{"x", "-1s", "31s"} {
			if w := do(i, request("diagnosis.json?wait="+wait)); w.Code != 400 {
				t.Errorf("wait=%s: %d; want 400", wait, w.Code)
			}
		}
	})
}
