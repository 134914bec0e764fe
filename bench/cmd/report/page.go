package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// report is what the page and the chart are made from.
type report struct {
	Machine, Load, Command, Date string
	Busy                         bool // others used the machine
	Plan                         plan
	Results                      []result
}

const (
	opening = "<!-- peers -->"
	closing = "<!-- /peers -->"
)

// between puts the table between the markers of a page.
func between(page, table string) (string, error) {
	head, rest, found := strings.Cut(page, opening)
	_, tail, ended := strings.Cut(rest, closing)
	if !found || !ended {
		return "", fmt.Errorf("no markers %s and %s", opening, closing)
	}
	return head + opening + "\n" + table + closing + tail, nil
}

// table returns everything that stands between the markers.
func (r report) table() string {
	var b strings.Builder
	busy := ""
	if r.Busy {
		busy = "Others used it at the same time: what needs all processors, and every p99.9, is\nworse here than on a machine that has nothing else to do.\n"
	}
	fmt.Fprintf(&b, `
Measured on %s with

`+"```sh\ncd bench && GOWORK=off %s\n```"+`

on %s. Load of the machine (threads that wanted to run): %s.
%s
Nanoseconds per event, and the ratio to the signal of the same kind: of sync
signals for what runs handlers where it publishes (marked *inline*), of async
signals for the rest.

| | end to end, 1 subscriber | 10 | 100 | publish alone, 1 | 100 | 2 publishers, 1 subscriber | allocations per event, 1 | 10 | 100 |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
`, r.Date, strings.TrimSpace(r.Command), r.Machine, r.Load, busy)
	for _, one := range r.Results {
		fmt.Fprintf(&b, "| %s |", name(one))
		for _, s := range scenarios {
			t := one.Times[s.name]
			fmt.Fprintf(&b, " %s (%sx) |", digits(t.NS), digits(t.Ratio))
		}
		for _, s := range []string{endToEnd1, endToEnd10, endToEnd100} {
			fmt.Fprintf(&b, " %s |", digits(math.Round(one.Allocs[s]*10)/10))
		}
		b.WriteString("\n")
	}
	b.WriteString(`
From just before an event is published until it is handled, at 10,000 events a
second, in microseconds:

| | 1 subscriber, p50 | p99 | p99.9 | 10 subscribers, p50 | p99 | p99.9 |
|---|---:|---:|---:|---:|---:|---:|
`)
	for _, one := range r.Results {
		fmt.Fprintf(&b, "| %s |", name(one))
		for _, s := range []string{delays1, delays10} {
			for _, d := range one.Delays[s] {
				fmt.Fprintf(&b, " %s |", digits(float64(d)/float64(time.Microsecond)))
			}
		}
		b.WriteString("\n")
	}
	b.WriteString(`
What is not equal:

| | version | set up with | compared with signals |
|---|---|---|---|
`)
	for _, one := range r.Results {
		version := one.Version
		switch {
		case one.Peer.Module == "":
			version = "of Go itself"
		case version == "":
			version = "this one"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", one.Peer.Name, version, one.Peer.Setup, one.Peer.Unequal)
	}
	b.WriteString("\nEvery event was handled once by every subscriber")
	var without []string
	for _, one := range r.Results {
		if !one.Peer.Ordered {
			without = append(without, fmt.Sprintf("%s handled %s%% of them after a later one", one.Peer.Name, digits(one.Disordered)))
		}
	}
	if without == nil {
		b.WriteString(", in order.\n\n")
	} else {
		fmt.Fprintf(&b, ", and in order but for this:\n%s (10 subscribers).\n\n", strings.Join(without, ", "))
	}
	return b.String()
}

func name(r result) string {
	if r.Peer.Inline {
		return r.Peer.Name + " (*inline*)"
	}
	return r.Peer.Name
}

// digits writes three of them, or as many as stand before the point.
func digits(v float64) string {
	switch {
	case v >= 100:
		s := fmt.Sprintf("%.0f", v)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
