// Report measures signals and its peers by turns, and writes the table between
// the markers of docs/benchmarks.md, and the chart. From the directory bench:
//
//	GOWORK=off go run ./cmd/report
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"example.com/signals/bench"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("report: ")
	var (
		plan  = plan{samples: 5}
		page  = flag.String("page", "../docs/benchmarks.md", "the `file` with the markers; - prints the table and draws nothing")
		chart = flag.String("chart", "../docs/benchmarks.svg", "the `file` for the chart")
		only  = flag.String("peers", ".", "a `regexp` of the peers, besides signals")
	)
	flag.DurationVar(&plan.slice, "slice", 20*time.Millisecond, "how long a peer runs before the next has its turn")
	flag.IntVar(&plan.turns, "turns", 9, "how many turns each peer has in one of the five samples")
	flag.IntVar(&plan.paced, "paced", 2000, "how many events each of the 25 spans of latency has")
	flag.IntVar(&plan.counted, "counted", 4096, "how many events allocations are counted of")
	flag.Parse()

	names := regexp.MustCompile(*only)
	var peers []bench.Peer
	for _, p := range bench.Peers() {
		if names.MatchString(p.Name) || strings.HasPrefix(p.Name, "signals") {
			peers = append(peers, p)
		}
	}
	before := load()
	wanted, _ := strconv.ParseFloat(before, 64)
	results, err := measure(peers, plan)
	if err != nil {
		log.Fatal(err)
	}
	r := report{
		Machine: machine(),
		Load:    fmt.Sprintf("%s before, %s after", before, load()),
		Busy:    wanted > float64(runtime.GOMAXPROCS(0))/2,
		Command: "go run ./cmd/report " + strings.Join(os.Args[1:], " "),
		Date:    time.Now().UTC().Format(time.DateOnly),
		Plan:    plan,
		Results: results,
	}
	if *page == "-" {
		fmt.Print(r.table())
		return
	}
	if err := r.write(*page, *chart); err != nil {
		log.Fatal(err)
	}
}

// write writes the table into the page, and the chart.
func (r report) write(page, chart string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	written, err := between(string(text), r.table())
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	svg, err := r.chart()
	if err != nil {
		return err
	}
	if err := os.WriteFile(chart, svg, 0o644); err != nil {
		return err
	}
	return os.WriteFile(page, []byte(written), 0o644)
}

func machine() string {
	cpu := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`model name\s*: (.*)`).FindSubmatch(info); m != nil {
			cpu = string(m[1])
		}
	}
	return fmt.Sprintf("%s, %d processors, %s/%s, %s", cpu, runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// load returns how many threads wanted to run in the last minute.
func load() string {
	average, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(average))[0]
}

// version returns that of a module this program is built with.
func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == module && m.Replace == nil {
			return m.Version
		}
	}
	return ""
}
