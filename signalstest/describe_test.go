package signalstest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/signalstest"
)

// message returns what a recorder says that got one payload and wanted another.
func message[T any](t *testing.T, got, want T) string {
	t.Helper()
	var f fakeTB
	f.run(func(tb testing.TB) {
		sig := signals.NewSync[T]()
		rec := signalstest.Record(tb, sig)
		sig.Emit(t.Context(), got)
		rec.Ordered(want)
	})
	if len(f.messages) != 1 {
		t.Fatalf("%d messages %q, want one", len(f.messages), f.messages)
	}
	return f.messages[0]
}

// A ring refers to itself in every way that a payload can.
type ring struct {
	Name  string
	Next  *ring
	All   []any
	Named map[string]any
}

func newRing(name string) *ring {
	r := &ring{Name: name, All: make([]any, 1), Named: make(map[string]any)}
	r.Next, r.All[0], r.Named["self"] = r, r, r.Named
	return r
}

// Package fmt would go round until the stack is full, which ends the test binary.
func TestACyclicPayloadIsPrinted(t *testing.T) {
	got := message(t, newRing("a"), newRing("b"))
	for _, want := range []string{"- [0] &{Name:b Next:<the *signalstest_test.ring again>", "+ [0] &{Name:a"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %q", got, want)
		}
	}
	list := []any{nil}
	list[0] = list
	if got := message(t, list, []any{1}); !strings.Contains(got, "+ [0] [<the []interface {} again>]") {
		t.Error(got)
	}
	recorded(t, newRing("a")).Ordered(newRing("a")) // and compared

	if got := message(t, newRing("a"), &ring{Name: "a", Next: newRing("a"), All: []any{newRing("a")}, Named: map[string]any{}}); !strings.Contains(got, "+ [0] ") {
		t.Error(got)
	}
}

func TestALargePayloadIsCut(t *testing.T) {
	type page struct {
		Title string
		Body  []byte
		Tags  map[string]string
	}
	large := func(at int) page {
		p := page{Title: "home", Body: make([]byte, 1<<20), Tags: map[string]string{"a": strings.Repeat("x", 1<<20)}}
		p.Body[at] = 7
		return p
	}
	got := message(t, large(700_000), large(800_000))
	if len(got) > 3000 || !strings.Contains(got, "unlike [0]: .Body[700000] is 7, not 0") {
		t.Errorf("%d bytes, ending in %s", len(got), got[len(got)-200:])
	}
	got = message(t, strings.Repeat("ä", 1<<20), "short")
	if len(got) > 2000 || !strings.Contains(got, `ä...`) || strings.Contains(got, "\ufffd") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

func TestPayloadsThatReadAlikeSayHowTheyDiffer(t *testing.T) {
	type inner struct {
		any any
		fn  func()
	}
	type outer struct {
		In   *inner
		List []inner
		M    map[any]int
		Err  error
	}
	instant := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	same := time.FixedZone("UTC", 0)
	err := errors.New("down")
	for name, test := range map[string]struct {
		got, want any
		how       string
	}{
		"a type within":          {outer{In: &inner{any: int64(1)}}, outer{In: &inner{any: 1}}, ".In.any is a int64, not a int"},
		"nil within":             {outer{List: []inner{}}, outer{}, ".List is empty, not nil"},
		"a function":             {outer{List: []inner{{fn: func() {}}}}, outer{List: []inner{{fn: func() {}}}}, ".List[0].fn is a function, and functions are equal only if both are nil"},
		"the type of a key":      {outer{M: map[any]int{int8(1): 2}}, outer{M: map[any]int{1: 2}}, ".M is without 1"},
		"a location":             {instant.In(same), instant, "the same instant in another location"},
		"errors of another type": {outer{Err: plainError("down")}, outer{Err: err}, ".Err is a signalstest_test.plainError, not a *errors.errorString"},
	} {
		if got := message(t, test.got, test.want); !strings.Contains(got, "unlike [0]: ") || !strings.Contains(got, test.how) {
			t.Errorf("%s: %s\nlacks %q", name, got, test.how)
		}
	}
}

type plainError string

func (e plainError) Error() string { return string(e) }

// A payload's own text is asked for, and may panic.
func TestAPayloadsOwnTextMayPanic(t *testing.T) {
	if got := message(t, rude{1}, rude{2}); !strings.Contains(got, "+ [0] signalstest_test.rude{n:1}") {
		t.Error(got)
	}
}

type rude struct{ n int }

func (rude) String() string { panic("no") }

func TestMessagesNameTheSignal(t *testing.T) {
	placed := signals.New[int](signals.Name("order.placed"))
	defer func() { _ = placed.Close(t.Context()) }()
	for how, test := range map[string]func(tb testing.TB, rec *signalstest.Recorder[int]){
		"1 payload came, not the 0 wanted in this order": func(_ testing.TB, rec *signalstest.Recorder[int]) { rec.Ordered() },
		"1 payload came, not the 0 wanted in any order":  func(_ testing.TB, rec *signalstest.Recorder[int]) { rec.Unordered() },
		"1 of 2 payloads had come when the context ended": func(tb testing.TB, rec *signalstest.Recorder[int]) {
			rec.Wait(ended(), 2)
		},
		"none of 1 payloads had met the condition": func(tb testing.TB, rec *signalstest.Recorder[int]) {
			rec.WaitFor(ended(), func([]int) bool { return false })
		},
	} {
		var f fakeTB
		f.run(func(tb testing.TB) {
			rec := signalstest.Record(tb, placed)
			placed.Emit(t.Context(), 1)
			rec.Wait(t.Context(), 1)
			test(tb, rec)
		})
		if got, want := strings.Join(f.messages, "\n"), `signalstest: "order.placed": `+how; !strings.HasPrefix(got, want) {
			t.Errorf("message %q, want %q...", got, want)
		}
	}
}

// ended is a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
