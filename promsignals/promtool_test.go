package promsignals_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"example.com/signals"
	"example.com/signals/promsignals"
)

// everything is a scrape in which every metric of the package occurs.
func everything(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	bus := signals.NewBus(quiet)
	jobs := signals.Topic[int](bus, "jobs")
	jobs.Subscribe(succeeds, signals.Key("quick"))
	jobs.Subscribe(panics, signals.Key("broken"))
	orders := promsignals.NewInstrumented(signals.NewSync[int](signals.Name("orders"), signals.OnBus(bus)))
	orders.Subscribe(fails)
	orders.Emit(ctx, 1)
	if err := jobs.EmitWait(ctx, 1); err == nil {
		t.Fatal("no failure")
	}
	bridges := promsignals.NewBridgeCollector(&bridge{Direction: signals.BridgeConsumes, Signal: "orders", Subject: "orders.>", Stream: "ORDERS", Durable: "mail"})
	return gather(t, promsignals.NewBusCollector(bus), orders, bridges)
}

// promtool runs Prometheus' own tool, in Debian's package prometheus.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("promtool is not installed: it is in the package prometheus")
	}
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolHasNothingToSayAboutTheMetrics(t *testing.T) {
	var text strings.Builder
	for _, f := range everything(t) {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	promtool(t, text.String(), "check", "metrics")
}

func TestPromtoolAcceptsTheAlerts(t *testing.T) {
	promtool(t, "", "check", "rules", "alerts.yml")
}

func TestAlertsAreRaisedByWhatTheyAreFor(t *testing.T) {
	promtool(t, "", "test", "rules", filepath.Join("testdata", "alerts_test.yml"))
}

func TestPromtoolAcceptsTheQueriesOfTheDashboard(t *testing.T) {
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for i, expr := range dashboardQueries(t) {
		rules = append(rules, rule{fmt.Sprintf("query:%d", i), strings.NewReplacer("$__rate_interval", "5m").Replace(expr)})
	}
	file := filepath.Join(t.TempDir(), "rules.yml") // JSON is YAML
	data, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "check", "rules", file)
}

// What alerts, their tests and dashboard name must be there, each metric with
// the labels that they use, and the other way round for the dashboard.
func TestAlertsAndDashboardNameOnlyWhatExists(t *testing.T) {
	families := everything(t)
	queries := dashboardQueries(t)
	for file, text := range map[string]string{
		"alerts.yml":               alertQueries(t),
		"testdata/alerts_test.yml": read(t, "testdata/alerts_test.yml"),
		"dashboard.json":           strings.Join(queries, "\n") + strings.Join(dashboardVariables(t), "\n"),
	} {
		used := metricName.FindAllString(text, -1)
		if len(used) == 0 {
			t.Errorf("%s names no metric", file)
		}
		for _, name := range used {
			if !exists(families, name) {
				t.Errorf("%s names %s, which does not exist", file, name)
			}
		}
	}
	for _, q := range queries {
		for _, name := range metricName.FindAllString(q, -1) {
			for _, group := range grouping.FindAllStringSubmatch(q, -1) {
				for label := range strings.SplitSeq(group[1], ",") {
					if l := strings.TrimSpace(label); !labelled(families, name, l) {
						t.Errorf("%s: %s has no label %s", q, name, l)
					}
				}
			}
		}
	}
	for _, f := range families {
		shown := slices.ContainsFunc(queries, func(q string) bool { return strings.Contains(q, f.GetName()) })
		if !shown && f.GetName() != "signals_info" {
			t.Errorf("the dashboard does not show %s", f.GetName())
		}
	}
	template := regexp.MustCompile(`\$labels\.(\w+)`)
	for _, use := range template.FindAllStringSubmatch(read(t, "alerts.yml"), -1) {
		if !slices.Contains([]string{"signal", "listener", "stream", "durable"}, use[1]) {
			t.Errorf("alerts.yml uses the label %s", use[1])
		}
	}
}

// Every metric is described in the package's documentation and in the guide.
func TestDocumentsNameEveryMetric(t *testing.T) {
	guide := read(t, filepath.Join("..", "docs", "metrics_and_tracing.md"))
	source := read(t, "doc.go") + read(t, "instrumented.go")
	families := everything(t)
	for _, f := range families {
		if !strings.Contains(guide, "`"+f.GetName()+"`") {
			t.Errorf("the guide does not name %s", f.GetName())
		}
		if !strings.Contains(source, f.GetName()) {
			t.Errorf("the documentation does not name %s", f.GetName())
		}
	}
	for _, name := range regexp.MustCompile("`(signals_\\w+)`").FindAllStringSubmatch(guide, -1) {
		if !slices.ContainsFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == name[1] }) {
			t.Errorf("the guide names %s, which does not exist", name[1])
		}
	}
}

func TestPanelsOfTheDashboardDoNotOverlap(t *testing.T) {
	var taken [96][24]string
	ids := make(map[int]bool)
	for _, p := range dashboard(t).Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				if x >= 24 {
					t.Fatalf("%s is wider than the dashboard", p.Title)
				}
				if other := taken[y][x]; other != "" {
					t.Fatalf("%s lies over %s", p.Title, other)
				}
				taken[y][x] = p.Title
			}
		}
	}
}

var (
	metricName = regexp.MustCompile(`\bsignals_\w+`)
	grouping   = regexp.MustCompile(`by \(([^)]*)\)`)
)

func exists(families []*dto.MetricFamily, name string) bool {
	return slices.ContainsFunc(families, func(f *dto.MetricFamily) bool { return is(f, name) })
}

func is(f *dto.MetricFamily, name string) bool {
	if f.GetType() == dto.MetricType_HISTOGRAM {
		return slices.Contains([]string{"_bucket", "_count", "_sum"}, strings.TrimPrefix(name, f.GetName()))
	}
	return name == f.GetName()
}

func labelled(families []*dto.MetricFamily, name, label string) bool {
	for _, f := range families {
		if !is(f, name) {
			continue
		}
		if label == "le" {
			return f.GetType() == dto.MetricType_HISTOGRAM
		}
		return len(values([]*dto.MetricFamily{f}, f.GetName(), label)) > 0
	}
	return false
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// alertQueries returns the alerts without what is meant for people.
func alertQueries(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(read(t, "alerts.yml")) {
		if code, _, _ := strings.Cut(line, "#"); !strings.Contains(code, "name:") {
			b.WriteString(code)
		}
	}
	return b.String()
}

type grafana struct {
	Panels []struct {
		ID      int
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Definition string }
	}
}

func dashboard(t *testing.T) (d grafana) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	if reflect.ValueOf(d).IsZero() {
		t.Fatal("dashboard.json is empty")
	}
	return d
}

func dashboardQueries(t *testing.T) (all []string) {
	t.Helper()
	for _, p := range dashboard(t).Panels {
		for _, q := range p.Targets {
			all = append(all, q.Expr)
		}
	}
	return all
}

func dashboardVariables(t *testing.T) (all []string) {
	t.Helper()
	for _, v := range dashboard(t).Templating.List {
		all = append(all, v.Definition)
	}
	return all
}
