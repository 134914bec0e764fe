package contract_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What one more payload type costs whoever builds a program: processor time and
// bytes, for a package with few types and one with many, each with a signal, a
// Subscribe and an Emit; beside a typed publisher of one page.

const (
	fewTypes  = 1
	manyTypes = 41
)

// publisher is that page: a mutex, a slice, a channel and a goroutine for each
// listener, recovery, close.
const publisher = `package main

import (
	"context"
	"log"
	"sync"
)

type publisher[T any] struct {
	mu     sync.Mutex
	subs   []chan T
	closed bool
	wg     sync.WaitGroup
}

func (p *publisher[T]) subscribe(fn func(context.Context, T) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	ch := make(chan T, 64)
	p.subs = append(p.subs, ch)
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		for v := range ch {
			p.call(fn, v)
		}
	}()
}

func (p *publisher[T]) call(fn func(context.Context, T) error, v T) {
	defer func() {
		if r := recover(); r != nil {
			log.Println("panic:", r)
		}
	}()
	if err := fn(context.Background(), v); err != nil {
		log.Println(err)
	}
}

func (p *publisher[T]) publish(v T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ch := range p.subs {
		ch <- v
	}
}

func (p *publisher[T]) close() {
	p.mu.Lock()
	p.closed = true
	for _, ch := range p.subs {
		close(ch)
	}
	p.subs = nil
	p.mu.Unlock()
	p.wg.Wait()
}
`

// writeProgram writes a program with that many payload types into dir, each of which
// is used by a function with that body, and returns its main file.
func writeProgram(dir, body string, types int, own bool) error {
	repo, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	mod := "module program\n\ngo 1.26.0\n"
	imports := `import ("context"; "example.com/signals")`
	if own {
		imports = `import "context"`
		err = os.WriteFile(filepath.Join(dir, "publisher.go"), []byte(publisher), 0o666)
	} else {
		mod += "\nrequire example.com/signals v0.0.0\n\nreplace example.com/signals => " + repo + "\n"
	}
	var main strings.Builder
	fmt.Fprintf(&main, "package main\n\n%s\n\nvar sum int\n", imports)
	for i := range types {
		fmt.Fprintf(&main, "type P%d struct { A int; B string; C [%d]byte }\n", i, i+1)
		fmt.Fprintf(&main, "func f%d() { %s }\n", i, strings.ReplaceAll(body, "PAYLOAD", fmt.Sprintf("P%d", i)))
	}
	main.WriteString("func main() {\n")
	for i := range types {
		fmt.Fprintf(&main, "f%d()\n", i)
	}
	main.WriteString("}\n")
	for name, text := range map[string]string{"go.mod": mod, "main.go": main.String()} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666)
		}
	}
	return err
}

const (
	asyncBody = `s := signals.New[PAYLOAD](); s.Subscribe(func(_ context.Context, p PAYLOAD) error { sum += p.A; return nil }); s.Emit(context.Background(), PAYLOAD{})`
	syncBody  = `s := signals.NewSync[PAYLOAD](); s.Subscribe(func(_ context.Context, p PAYLOAD) error { sum += p.A; return nil }); s.Emit(context.Background(), PAYLOAD{})`
	ownBody   = `s := new(publisher[PAYLOAD]); s.subscribe(func(_ context.Context, p PAYLOAD) error { sum += p.A; return nil }); s.publish(PAYLOAD{}); s.close()`
)

// builds are the two programs of a body.
type builds struct{ few, many string }

func newBuilds(body string, own bool) (b builds, err error) {
	for types, dir := range map[int]*string{fewTypes: &b.few, manyTypes: &b.many} {
		if *dir, err = os.MkdirTemp("", "build"); err == nil {
			err = writeProgram(*dir, body, types, own)
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

func (b builds) remove() {
	os.RemoveAll(b.few)
	os.RemoveAll(b.many)
}

// build builds the program in dir, which has not been built like this before,
// and returns the processor time and the size.
func build(dir string, round int) (time.Duration, int64, error) {
	touched := filepath.Join(dir, "round.go")
	if err := os.WriteFile(touched, fmt.Appendf(nil, "package main\n\nvar round = %d + %d\n\nfunc init() { round++ }\n", round, time.Now().UnixNano()), 0o666); err != nil {
		return 0, 0, err
	}
	cmd := exec.Command("go", "build", "-o", "program", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, out)
	}
	info, err := os.Stat(filepath.Join(dir, "program"))
	if err != nil {
		return 0, 0, err
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), info.Size(), nil
}

// perType returns what one more payload type costs.
func (b builds) perType(round int) (time.Duration, int64, error) {
	few, small, err := build(b.few, round)
	if err != nil {
		return 0, 0, err
	}
	many, large, err := build(b.many, round)
	const more = manyTypes - fewTypes
	return (many - few) / more, (large - small) / more, err
}

// buildCost compares a signal with the publisher, in time or in size.
func buildCost(body string, size bool) measured {
	fail := func(err error) measured { return measured{value: 1e9, subject: err.Error()} }
	ours, err := newBuilds(body, false)
	defer ours.remove()
	if err != nil {
		return fail(err)
	}
	theirs, err := newBuilds(ownBody, true)
	defer theirs.remove()
	if err != nil {
		return fail(err)
	}
	var ratios []float64
	var last measured
	for round := range 6 {
		time1, size1, err1 := theirs.perType(round)
		time2, size2, err2 := ours.perType(round)
		switch {
		case err1 != nil:
			return fail(err1)
		case err2 != nil:
			return fail(err2)
		case round == 0: // fills the caches
			continue
		case size:
			ratios = append(ratios, float64(size2)/float64(size1))
			last = measured{base: fmt.Sprintf("%.1f KB", float64(size1)/1000), subject: fmt.Sprintf("%.1f KB", float64(size2)/1000)}
		default:
			ratios = append(ratios, float64(time2)/float64(time1))
			last = measured{base: time1.Round(time.Millisecond / 10).String(), subject: time2.Round(time.Millisecond / 10).String()}
		}
	}
	slices.Sort(ratios)
	last.value = ratios[len(ratios)/2]
	return last
}
