package inspector

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/signals"
)

// looks is an inspector of which the test sets the clock and the goroutines.
type looks struct {
	*Inspector
	bus   *signals.Bus
	clock time.Time
	dump  string
	dumps int
	takes time.Duration // a dump
}

func newLooks(t *testing.T) *looks {
	l := &looks{bus: quietBus(), clock: time.Now()}
	l.Inspector = open(t, l.bus)
	l.now = func() time.Time { return l.clock }
	l.stacks.profile = func(b *bytes.Buffer) { b.WriteString(l.dump) }
	l.stacks.dump = func() []byte {
		l.dumps++
		l.clock = l.clock.Add(l.takes)
		return []byte(l.dump)
	}
	return l
}

// after is the diagnosis some time later, of these goroutines.
func (l *looks) after(d time.Duration, goroutines ...string) Diagnosis {
	l.clock = l.clock.Add(d)
	l.dump = strings.Join(goroutines, "\n\n")
	l.examine(askedPace, math.MaxInt)
	l.fresh()
	return l.diagnosis(recent, false)
}

// begun is a listener with an emission that may not have come to an end: of
// payloads below 1, which a filter turns away, nobody knows.
func (l *looks) begun(t *testing.T, signal, key string) *signals.SyncSignal[int] {
	s := signals.NewSync[int](signals.Name(signal), signals.OnBus(l.bus))
	s.Subscribe(listens, signals.Key(key), signals.Filter(func(n int) bool { return n > 0 }))
	s.Emit(t.Context(), 0)
	return s
}

func listens(context.Context, int) error  { return nil }
func listens2(context.Context, int) error { return nil }

// goroutine writes the stack of one, innermost function first; "emit" stands
// for the frames of an emission.
func goroutine(number int, state string, functions ...string) string {
	var b strings.Builder
	b.WriteString("goroutine " + strconv.Itoa(number) + " [" + state + "]:\n")
	for _, f := range functions {
		if f == "emit" {
			b.WriteString(core + ".(*handler[...]).call(0x0?, {0x1?, 0x2?}, 0x0)\n\t/signals/listeners.go:82 +0xbc\n")
			b.WriteString(core + "/internal/chain.(*emission).call(0x0?, 0x1?)\n\t/signals/internal/chain/emission.go:82 +0xbc\n")
			b.WriteString(core + ".(*SyncSignal[...]).Emit(0x0?, {0xa9?, 0x1abb?}, 0x0)\n\t/signals/sync.go:64 +0xd2\n")
			continue
		}
		if !strings.Contains(f, "(") {
			f += "(0x1)"
		}
		b.WriteString(f + "\n\t/shop/shop.go:12 +0x12\n")
	}
	b.WriteString("created by " + core + ".(*SyncSignal[...]).Emit in goroutine 1\n\t/shop/main.go:9 +0x98a")
	return b.String()
}

func blocked(number int, state string) string {
	return goroutine(number, state, "shop.deep", self+"listens", "emit", "main.main")
}

func TestASyncListenerIsStuckWhenItsGoroutineHasNotMoved(t *testing.T) {
	l := newLooks(t)
	l.begun(t, "s", "mail")
	wantKinds(t, "at the first look", l.after(0, blocked(7, "select")), "info silent s mail")
	wantKinds(t, "9s later", l.after(9*time.Second, blocked(7, "select")), "info silent s mail")
	d := l.after(3*time.Second, blocked(7, "select, locked to thread"), blocked(8, "chan send"))
	wantKinds(t, "12s later", d, "error stuck s mail")
	f := d.Findings[0]
	if f.Running != 12 || f.Text != `mail of "s" is stuck: a call has been running for 12s` || !strings.HasPrefix(f.Site, "inspector/calls_test.go:") || f.Function != "inspector.listens" {
		t.Errorf("%+v", f)
	}
	if s := l.snapshot(query{}).Signals[0]; s.Status != StatusStuck || s.Listeners[0].Status != StatusStuck || s.Listeners[0].Running != 12 || s.Listeners[0].InFlight != 1 {
		t.Errorf("the snapshot says %+v", s)
	}
	if d := l.after(10*time.Second, blocked(7, "select"), blocked(8, "chan send")); !strings.HasSuffix(d.Findings[0].Text, "for 22s, and 1 other call too") {
		t.Errorf("of two calls: %q", d.Findings[0].Text)
	}
	wantKinds(t, "when they have gone on", l.after(10*time.Second), "info silent s mail")
}

func TestAWrappedListenerIsStuckUnderItsOwnName(t *testing.T) {
	l := newLooks(t)
	l.begun(t, "s", "mail")
	wrapped := goroutine(7, "select", self+"listens", "resilience.Retry[...].func1", core+".Identify[...].func1", "emit", "main.main")
	l.after(0, wrapped)
	wantKinds(t, "20s later", l.after(20*time.Second, wrapped), "error stuck s mail")
}

func TestTheRuntimesMinutesAreTakenAtTheFirstLook(t *testing.T) {
	l := newLooks(t)
	l.begun(t, "s", "mail").Emit(t.Context(), 1) // calls that come back do not matter then
	d := l.after(0, blocked(7, "chan receive, 3 minutes"))
	wantKinds(t, "at the first look", d, "error stuck s mail")
	if d.Findings[0].Running != 180 {
		t.Errorf("running for %vs; want 180", d.Findings[0].Running)
	}
}

func TestWhatMovesIsNotStuck(t *testing.T) {
	for name, looks := range map[string][2]string{
		"it is on a processor":         {blocked(7, "running"), blocked(7, "running")},
		"it waits for a processor":     {blocked(7, "runnable"), blocked(7, "runnable")},
		"it waits for something else":  {blocked(7, "select"), blocked(7, "chan send")},
		"another goroutine":            {blocked(7, "select"), blocked(8, "select")},
		"another argument":             {blocked(7, "select"), goroutine(7, "select", "shop.deep(0x2)", self+"listens", "emit", "main.main")},
		"another function":             {blocked(7, "select"), goroutine(7, "select", "shop.other", self+"listens", "emit", "main.main")},
		"no emission":                  {goroutine(7, "select", self+"listens", "main.main"), goroutine(7, "select", self+"listens", "main.main")},
		"not called by the signal":     {goroutine(7, "select", self+"listens", "shop.f", "emit"), goroutine(7, "select", self+"listens", "shop.f", "emit")},
		"a signal that is not on it":   {goroutine(7, "select", "shop.g", "emit"), goroutine(7, "select", "shop.g", "emit")},
		"an async signal's goroutine":  {asyncCall, asyncCall},
		"the function emits, no more":  {goroutine(7, "select", "emit", self+"listens", "main.main"), goroutine(7, "select", "emit", self+"listens", "main.main")},
		"a stack that nobody can read": {"goroutine", "goroutine 7 ["},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLooks(t)
			l.begun(t, "s", "mail")
			l.after(0, looks[0])
			wantKinds(t, "20s later", l.after(20*time.Second, looks[1]), "info silent s mail")
		})
	}
}

// asyncCall has a second goroutine for which there is a dump at all.
var asyncCall = strings.ReplaceAll(blocked(7, "select"), ".(*SyncSignal[", ".(*AsyncSignal[") + "\n\n" + goroutine(8, "select", "emit")

// Each of the calls that one goroutine makes may have the same stack.
func TestAListenerWhoseCallsComeBackIsNotStuck(t *testing.T) {
	l := newLooks(t)
	s := l.begun(t, "s", "mail")
	s.Emit(t.Context(), 1)
	for range 3 {
		wantKinds(t, "while calls come back", l.after(20*time.Second, blocked(7, "select")))
		s.Emit(t.Context(), 1)
	}
	l.after(time.Second, blocked(7, "select"))
	wantKinds(t, "when none has come back for 9s", l.after(9*time.Second, blocked(7, "select")))
	wantKinds(t, "when none has come back for 10s", l.after(time.Second, blocked(7, "select")), "error stuck s mail")
}

func TestAStuckFunctionOfSeveralListenersAccusesNone(t *testing.T) {
	l := newLooks(t)
	l.begun(t, "a", "one")
	l.begun(t, "b", "two")
	signals.NewSync[int](signals.Name("quiet"), signals.OnBus(l.bus)).Subscribe(listens, signals.Key("three"))
	signals.NewSync[int](signals.Name("done"), signals.OnBus(l.bus)).Subscribe(listens, signals.Key("four"))
	l.after(0, blocked(7, "select"))
	l.after(9*time.Second, blocked(7, "select"))
	d := l.after(3*time.Second, blocked(7, "select"))
	d.Findings = slices.DeleteFunc(d.Findings, func(f Finding) bool { return f.Severity == SeverityInfo })
	wantKinds(t, "of two signals", d, "error stuck")
	f := d.Findings[0]
	if f.Function != "inspector.listens" || f.Site != "" || f.Listener != "" || len(f.Candidates) != 2 ||
		f.Candidates[0].Signal != "a" || f.Candidates[1].Listener != "two" || !strings.HasSuffix(f.Text, `: one of "a", two of "b"`) {
		t.Errorf("%+v", f)
	}
	for _, s := range l.snapshot(query{}).Signals {
		if s.Status == StatusStuck {
			t.Errorf("%s is said to be stuck", s.Name)
		}
	}
	if d := l.diagnosis(recent, true); len(d.Findings[0].Stacks) != 1 {
		t.Errorf("stacks %q", d.Findings[0].Stacks)
	}
	if page := get(t, l, "diagnosis"); !strings.Contains(page, "one of &#34;a&#34;") || strings.Contains(page, `"signal?signal="`) || !strings.Contains(page, "stacks?signal=a&amp;listener=one") {
		t.Errorf("the page says\n%s", page)
	}
	if page := get(t, l, "signal?signal=b"); !strings.Contains(page, "inspector.listens is stuck") {
		t.Error("the page of a candidate does not say it")
	}
	if s := get(t, l, "signal?signal=quiet"); strings.Contains(s, "is stuck") {
		t.Error("the page of a signal that was not emitted says it")
	}
}

func TestListenersOfOneSignalWithOneFunctionLeaveOnlyTheListenerOpen(t *testing.T) {
	l := newLooks(t)
	l.begun(t, "s", "one").Subscribe(listens, signals.Key("two"))
	d := l.after(0, blocked(7, "select, 2 minutes"))
	if f := d.Findings[0]; f.Kind != FindingStuck || f.Signal != "s" || f.Listener != "" || len(f.Candidates) != 2 {
		t.Errorf("%+v", f)
	}
}

func TestANestedEmissionAccusesTheInnermostListener(t *testing.T) {
	l := newLooks(t)
	l.begun(t, "inner", "inner")
	outer := signals.NewSync[int](signals.Name("outer"), signals.OnBus(l.bus))
	outer.Subscribe(listens2, signals.Key("outer"), signals.Filter(func(n int) bool { return n > 0 }))
	outer.Emit(t.Context(), 0)
	nested := goroutine(7, "select, 1 minutes", "shop.deep", self+"listens", "emit", self+"listens2", "emit", "main.main")
	wantKinds(t, "nested", l.after(0, nested), "error stuck inner inner", "info silent outer outer")
	// What the signals of this bus are stuck in may be another's.
	nested = goroutine(7, "select, 1 minutes", "shop.deep", "shop.other", "emit", self+"listens2", "emit", "main.main")
	wantKinds(t, "in an unknown one", l.after(time.Minute, nested), "error stuck outer outer", "info silent inner inner")
}

func TestLooksAreRareAndBounded(t *testing.T) {
	l := newLooks(t)
	want := func(n int, when string) {
		t.Helper()
		if l.dumps != n {
			t.Errorf("%s: %d dumps; want %d", when, l.dumps, n)
		}
	}
	l.after(time.Minute, blocked(7, "select"))
	want(0, "without sync listeners")
	l.begun(t, "s", "mail")
	l.after(time.Minute, goroutine(7, "select", "main.main"), strings.ReplaceAll(goroutine(8, "select", "main.main"), core, "x"))
	l.dump = ""
	l.after(time.Minute)
	dumps := l.dumps
	l.after(time.Minute, blocked(7, "select"))
	want(dumps+1, "while a sync signal is emitted")
	l.after(time.Second/2, blocked(7, "select"))
	want(dumps+1, "at once")
	l.after(time.Second/2, blocked(7, "select"))
	want(dumps+2, "a second later")
	l.clock = l.clock.Add(2 * time.Second)
	l.see()
	want(dumps+2, "for an open page, 2s later")
	l.clock = l.clock.Add(3 * time.Second)
	l.examine(openPace, 0)
	want(dumps+2, "with too many goroutines")
	l.see()
	want(dumps+3, "for an open page, 5s later")
	l.takes = 100 * time.Millisecond
	l.after(time.Second, blocked(7, "select"))
	want(dumps+4, "before it is known to be slow")
	l.after(4*time.Second, blocked(7, "select"))
	want(dumps+4, "4s after one that took 100ms")
	l.after(time.Second, blocked(7, "select"))
	want(dumps+5, "5s after one that took 100ms")
}

func TestWhatNobodyLooksAtAnyMoreIsForgotten(t *testing.T) {
	l := newLooks(t)
	l.begun(t, "s", "mail")
	wantKinds(t, "at first", l.after(0, blocked(7, "select, 2 minutes")), "error stuck s mail")
	l.clock = l.clock.Add(callsAge + 1)
	l.look(true)
	wantKinds(t, "without a look", l.diagnosis(recent, false), "info silent s mail")
}

func TestReadingTheHeadOfAStack(t *testing.T) {
	for head, want := range map[string]struct {
		id, state string
		waited    time.Duration
	}{
		"goroutine 7 [select]:":                                       {"7", "select", 0},
		"goroutine 7 [select, 3 minutes]:":                            {"7", "select", 3 * time.Minute},
		"goroutine 7 [IO wait, 90 minutes, locked to thread]:":        {"7", "IO wait", 90 * time.Minute},
		"goroutine 7 gp=0xc0 m=0 mp=0xa0 [syscall, 1 minutes]:":       {"7", "syscall", time.Minute},
		"goroutine 7 [sleep, synctest bubble 1] {\"k\": \"[a], x\"}:": {"7", "sleep", 0},
	} {
		id, state, waited, frames := readHead(head + "\nmain.main()")
		if id != want.id || state != want.state || waited != want.waited || frames != "main.main()" {
			t.Errorf("%s: %s, %s, %v, %q", head, id, state, waited, frames)
		}
	}
}

// hang is a listener that waits for what is closed.
type hang chan struct{}

func (h hang) plain(context.Context, int) { <-h }

func (h hang) fails(context.Context, int) error { <-h; return nil }

func (h hang) step(context.Context, int) (signals.Undo, error) { <-h; return nil, nil }

// These are the goroutines of the runtime, by whatever way a listener is called.
func TestARealGoroutineThatIsStuckInASyncListenerIsFound(t *testing.T) {
	h := make(hang)
	bus := quietBus()
	ctx := context.Background()
	warm := func(s *signals.SyncSignal[int]) {
		for range 3 { // one emission of 64 is timed, and goes another way
			s.Emit(ctx, 1)
		}
	}
	made := func(name string) *signals.SyncSignal[int] {
		s := signals.NewSync[int](signals.Name(name), signals.OnBus(bus))
		warm(s)
		return s
	}
	nothing := func(context.Context, int) {}
	several := func(name string) *signals.SyncSignal[int] {
		s := made(name)
		s.AddListener(nothing, "before")
		s.AddListener(nothing, "before too")
		warm(s)
		return s
	}
	i := open(t, bus, StuckAfter(time.Minute))
	clock := time.Now()
	i.now = func() time.Time { return clock }
	done := make(chan struct{}, 7)
	want := []string{}
	hangs := func(s *signals.SyncSignal[int], listen func(hang, *signals.SyncSignal[int]), emit func(*signals.SyncSignal[int])) {
		listen(h, s)
		want = append(want, "error stuck "+s.Stats().Name+" hang")
		go func() { emit(s); done <- struct{}{} }()
	}
	key := signals.Key("hang")
	plain := func(h hang, s *signals.SyncSignal[int]) { s.AddListener(h.plain, "hang") }
	emit := func(s *signals.SyncSignal[int]) { s.Emit(ctx, 2) }
	hangs(made("1 alone"), plain, emit)
	hangs(several("2 last of three"), plain, emit)
	first := signals.NewSync[int](signals.Name("3 timed"), signals.OnBus(bus))
	hangs(first, func(h hang, s *signals.SyncSignal[int]) { s.Subscribe(h.fails, key) }, emit)
	hangs(made("4 tried"), func(h hang, s *signals.SyncSignal[int]) {
		s.Subscribe(func(ctx context.Context, n int) error { return h.fails(ctx, n) }, key)
	},
		func(s *signals.SyncSignal[int]) { _ = s.TryEmit(ctx, 3) })
	hangs(made("5 all tried"), func(h hang, s *signals.SyncSignal[int]) { s.Step(h.step, key) },
		func(s *signals.SyncSignal[int]) { _ = s.TryEmitAll(ctx, 4) })
	panics := made("6 after a panic")
	panics.AddListener(func(context.Context, int) { panic("no") }, "panics")
	hangs(panics, func(h hang, s *signals.SyncSignal[int]) { s.AddListener(func(context.Context, int) { <-h }, "hang") }, emit)
	sync := made("7 in an async listener")
	async := signals.Topic[int](bus, "8 async")
	async.AddListener(func(ctx context.Context, n int) { sync.Emit(ctx, n) }, "emits")
	hangs(sync, func(h hang, s *signals.SyncSignal[int]) {
		s.Subscribe(func(context.Context, int) error { <-h; return nil }, key)
	},
		func(*signals.SyncSignal[int]) { async.Emit(ctx, 1) })
	want = want[2:] // the same function

	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patient)
	var got []string
	for {
		clock = clock.Add(time.Minute)
		d := getJSON[Diagnosis](t, i, "diagnosis.json?stacks=1")
		got = nil
		shared := false
		for _, f := range d.Findings {
			switch {
			case f.Kind != FindingStuck:
				continue
			case f.Name != "":
				got = append(got, "error stuck "+f.Signal+" "+f.Name)
			default:
				shared = f.Function == "inspector.hang.plain" && len(f.Candidates) == 2 && strings.Contains(f.Text, "1 other call too")
			}
			if len(f.Stacks) == 0 || f.Running < 60 {
				t.Fatalf("without stacks or time: %+v", f)
			}
		}
		slices.Sort(got)
		if slices.Equal(got, want) && shared {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("found %q, shared %v; want %q", got, shared, want)
		}
		<-tick.C
	}
	page := get(t, i, "stacks?signal=4+tried&listener=hang")
	if !strings.Contains(page, "hang.fails") {
		t.Errorf("the page of stacks does not show it:\n%s", page)
	}
	close(h)
	for range 7 {
		await(t, done, "an emission")
	}
	_ = async.Close(ctx)
	clock = clock.Add(time.Minute)
	i.examine(askedPace, math.MaxInt)
	i.look(true)
	for _, f := range i.diagnosis(recent, false).Findings {
		if f.Kind == FindingStuck {
			t.Errorf("when all have gone on: %s", f.Text)
		}
	}
}
