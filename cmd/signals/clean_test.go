package main

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"example.com/signals"
	"example.com/signals/inspector"
)

// hostile takes over terminals that obey it: it changes the title and the
// colour, turns text around and begins a line of its own.
const hostile = "\x1b]0;owned\x07\x1b[2Jorder\u202e\u009b31m\x7f\nerror  all is lost\r\x00\xff\U000e0041"

const harmless = `\x1b]0;owned\a\x1b[2Jorder\u202e\u009b31m\x7f\nerror  all is lost\r\x00`

func TestControlCharactersAreShownNotObeyed(t *testing.T) {
	if got, want := clean(hostile), harmless+`\xff\U000e0041`; got != want {
		t.Errorf("clean gives\n%s, want\n%s", got, want)
	}
	if got := clean("Grüße, 世界 \"'\\ 🎉"); got != "Grüße, 世界 \"'\\ 🎉" {
		t.Errorf("clean changes what is harmless: %s", got)
	}
	if got := cleanLines("a\n\tb\rc"); got != "a\n\tb\\rc" {
		t.Errorf("cleanLines gives %q", got)
	}
}

// each calls do for the strings within v, after it has made lists of two.
func each(v reflect.Value, do func(reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		each(v.Elem(), do)
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		}
		for i := range v.Len() {
			each(v.Index(i), do)
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanSet() {
				each(f, do)
			}
		}
	case reflect.String:
		do(v)
	}
}

func TestNoStringOfAnAnswerStaysUnclean(t *testing.T) {
	for _, answer := range []any{new(inspector.Snapshot), new(inspector.Diagnosis)} {
		v, n := reflect.ValueOf(answer).Elem(), 0
		each(v, func(s reflect.Value) { s.SetString(hostile); n++ })
		cleanAll(v)
		each(v, func(s reflect.Value) { mustBeClean(t, s.String()) })
		if n < 16 {
			t.Errorf("%T has only %d strings", answer, n)
		}
	}
}

func FuzzCleanJSONSaysTheSame(f *testing.F) {
	for _, s := range []string{`{"a":["` + "\u202e\u009b\x7f\U000e0041" + `",1.50]}`, ` [ ] `, `"\u001b\ud83c\udf89"`, `null`, "\"\xff\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want, got any
		if json.Unmarshal([]byte(s), &want) != nil {
			return
		}
		text, err := cleanJSON([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		mustBeClean(t, string(text))
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %s, which says %v, want %v (%v)", s, text, got, want, err)
		}
	})
}

// No command hands on what a hostile program says.
func TestHostileNamesReachNoTerminal(t *testing.T) {
	bus := quietBus()
	s := signals.NewSync[int](signals.Name(hostile), signals.OnBus(bus))
	s.AddListenerWithErr(func(context.Context, int) error { return errHostile{} }, hostile)
	url := serve(t, bus)
	s.Emit(t.Context(), 1)
	for _, args := range [][]string{
		{"top", "-n", "1", "-i", "200ms", url},
		{"top", "-n", "1", "-i", "200ms", "-listeners", "all", url},
		{"top", "-n", "1", "-i", "200ms", "-filter", "no\x1bsuch", url},
		{"doctor", "-wait", "0s", url},
		{"doctor", "-wait", "0s", "-json", url},
		{"graph", "-format", "svg", url},
		{"graph", "-format", "dot", url},
		{"graph", "-format", "mmd", url},
		{"graph", "-format", "json", url},
	} {
		r := command(t, args...)
		if r.code == exitError || len(r.stdout) == 0 {
			t.Errorf("signals %q: exit code %d, %s", args, r.code, r.stderr)
		}
		mustBeClean(t, r.stdout+r.stderr)
	}
	if r := command(t, "top", "-n", "1", "-i", "200ms", url); !strings.Contains(r.stdout, harmless[:40]) {
		t.Errorf("top does not show the name:\n%s", r.stdout)
	}
}

type errHostile struct{}

func (errHostile) Error() string { return hostile }
