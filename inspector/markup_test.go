package inspector

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"example.com/signals"
)

const evil = `"><script>alert('x')</script><img src=x onerror=alert(1)>` + "\n]]>--></style>`&amp;{{.}}"

func TestNamesKeysErrorsAndPayloadsOfMarkupStayText(t *testing.T) {
	bus := quietBus()
	i := open(t, bus, Payloads(3), Title(evil), Authorize(all))
	s := signals.NewSync[string](signals.Name(evil), signals.OnBus(bus))
	s.Subscribe(func(context.Context, string) error { return errors.New(evil) }, signals.Key(evil))
	s.Subscribe(func(context.Context, string) error { panic(evil) }, signals.Key(evil+"2"))
	s.Emit(t.Context(), evil)
	i.fresh()
	name := url.QueryEscape(evil)
	for _, path := range []string{
		"", "?q=" + name, "?sort=-rate&q=alert", "signal?signal=" + name, "graph", "failures", "diagnosis",
		"stacks?signal=" + name + "&listener=" + name, "graph.svg", "snapshot.json", "failures.json", "graph.json",
		"diagnosis.json", "payloads.json?signal=" + name, "signal?signal=" + name + "2",
	} {
		body := do(i, request(path)).Body.String()
		for _, bad := range []string{"<script>alert", "<img", "<script>a", "javascript:"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: has %q", path, bad)
			}
		}
		if path != "stacks" && !strings.Contains(body, "alert") {
			t.Errorf("%s: the name is missing", path)
		}
	}
	if body := get(t, i, "graph.mmd"); strings.Contains(body, "<script") || strings.Count(body, "\n") != strings.Count(get(t, i, "graph.mmd?q=alert"), "\n") {
		t.Errorf("Mermaid: %s", body)
	}
	for line := range strings.Lines(get(t, i, "graph.dot")) {
		unescaped := strings.NewReplacer(`\\`, "", `\"`, "").Replace(line)
		if strings.Count(unescaped, `"`)%2 != 0 {
			t.Errorf("DOT: a quote is open: %s", line)
		}
	}
}

// inline finds what the Content-Security-Policy would block.
var inline = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script>|<script [^>]*>[^<]|(href|src|action)="(/|https?:|//|data:)`)

func TestPagesHaveNothingInlineAndOnlyRelativeLinks(t *testing.T) {
	bus := quietBus()
	i := open(t, bus, Payloads(3), Authorize(all))
	fill(t, bus)
	i.fresh()
	for _, path := range []string{"", "signal?signal=order.placed", "graph", "failures", "diagnosis"} {
		if found := inline.FindString(get(t, i, path)); found != "" {
			t.Errorf("%s: %q", path, found)
		}
	}
}

func TestTheDrawingIsWellFormed(t *testing.T) {
	bus := quietBus()
	i := open(t, bus)
	fill(t, bus)
	signals.NewSync[int](signals.Name(strings.ReplaceAll(evil, "\n", "\x00")), signals.OnBus(bus))
	i.fresh()
	d := xml.NewDecoder(strings.NewReader(get(t, i, "graph.svg")))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// fill puts some signals on a bus and emits on them.
func fill(t testing.TB, bus *signals.Bus) {
	t.Helper()
	ctx := context.Background()
	placed := signals.NewSync[int](signals.Name("order.placed"), signals.OnBus(bus))
	accepted := signals.Topic[int](bus, "order.accepted")
	placed.Subscribe(func(context.Context, int) error { return nil }, signals.Key("stock"))
	placed.Subscribe(func(_ context.Context, n int) error {
		if n%4 == 3 {
			return errors.New("declined")
		}
		return nil
	}, signals.Key("payment"))
	accepted.Subscribe(func(_ context.Context, n int) error {
		if n == 2 {
			panic("no such address")
		}
		return nil
	}, signals.Key("shipping"))
	signals.Topic[int](bus, "order.cancelled").Emit(ctx, 1)
	signals.Topic[int](bus, "refund").AddListener(func(context.Context, int) {}, "treasury")
	for n := range 8 {
		if placed.TryEmit(ctx, n) == nil {
			accepted.Emit(ctx, n)
		}
	}
	if err := bus.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}
