package inspector

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"example.com/signals"
)

// BenchmarkEmit is what an emission costs without an inspector, with one, and
// with its page open.
func BenchmarkEmit(b *testing.B) {
	kinds := map[string]func(*signals.Bus) func(int){
		"sync": func(bus *signals.Bus) func(int) {
			s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
			for range 3 {
				s.AddListener(func(context.Context, int) {})
			}
			return func(n int) { s.Emit(context.Background(), n) }
		},
		"async": func(bus *signals.Bus) func(int) {
			s := signals.Topic[int](bus, "s", signals.Capacity(10_000, signals.Block))
			for range 3 {
				s.AddListener(func(context.Context, int) {})
			}
			return func(n int) { s.Emit(context.Background(), n) }
		},
	}
	for _, kind := range []string{"sync", "async"} {
		for _, c := range []struct {
			name string
			opts []Option
			with bool
			page bool
		}{
			{"without", nil, false, false},
			{"closed", nil, true, false},
			{"page", nil, true, true},
			{"page/CallSites=0", []Option{CallSites(0)}, true, true},
			{"page/CallSites=1", []Option{CallSites(1)}, true, true},
		} {
			b.Run(kind+"/"+c.name, func(b *testing.B) {
				bus := quietBus()
				emit := kinds[kind](bus)
				if c.with {
					i := open(b, bus, c.opts...)
					if c.page {
						watch(b, i)
					}
				}
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					emit(n)
					n++
				}
				b.StopTimer()
				if err := bus.Close(context.Background()); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// watch opens the page and reads it until the benchmark ends.
func watch(b *testing.B, i *Inspector) {
	server := httptest.NewServer(i)
	r, err := server.Client().Get(server.URL + "/live?view=signals") //nolint:bodyclose // by the goroutine that reads it
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.Body.Close()
		_, _ = io.Copy(io.Discard, r.Body)
	}()
	b.Cleanup(func() {
		i.Close()
		<-done
		server.Close()
	})
	if r.StatusCode != http.StatusOK {
		b.Fatal(r.Status)
	}
}

// BenchmarkSample is what a second costs while somebody looks.
func BenchmarkSample(b *testing.B) {
	for _, n := range []int{10, 1000} {
		bus := quietBus()
		for k := range n {
			s := signals.Topic[int](bus, fmt.Sprint("s", k))
			for j := range 10 {
				s.AddListener(func(context.Context, int) {}, fmt.Sprint("l", j))
			}
		}
		i := open(b, bus)
		b.Run(fmt.Sprintf("look/signals=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				i.look(true)
			}
		})
		b.Run(fmt.Sprintf("render/signals=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			v := view{i: i, access: View, name: "signals"}
			for b.Loop() {
				if _, err := v.body(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExamine is what it costs to look for stuck listeners of sync
// signals: the goroutine profile, and a dump if there may be one.
func BenchmarkExamine(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		bus := quietBus()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		gate := make(chan struct{})
		s.AddListener(func(context.Context, int) { below(10, gate) })
		i := open(b, bus)
		for range n {
			go below(10, gate)
		}
		run := func(name string) {
			b.Run(fmt.Sprintf("%s/goroutines=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					i.calls.at = time.Time{}
					i.examine(askedPace, math.MaxInt)
				}
			})
		}
		run("none")
		go s.Emit(context.Background(), 1)
		for !i.stacks.emitting() {
			runtime.Gosched()
		}
		run("one")
		close(gate)
	}
}

func below(frames int, gate chan struct{}) {
	if frames == 0 {
		<-gate
		return
	}
	below(frames-1, gate)
}
