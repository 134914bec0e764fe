package contract_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"example.com/signals"
	"example.com/signals/internal/engine"
)

// TestDifferentialRandomPrograms runs random programs against the model.
func TestDifferentialRandomPrograms(t *testing.T) {
	programs := 400
	if testing.Short() {
		programs = 60
	}
	first := rand.Uint64()
	for i := range programs {
		seed := first + uint64(i)
		rng := rand.New(rand.NewPCG(seed, 0))
		code := make([]byte, 2+3*(20+rng.IntN(100)))
		for j := range code {
			code[j] = byte(rng.Uint32())
		}
		synctest.Test(t, func(t *testing.T) {
			if err := runProgram(code); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// FuzzModel runs programs that the fuzzer makes against the model.
func FuzzModel(f *testing.F) {
	f.Add([]byte{1, 0, 80, 0, 0, 0, 0, 0, 0, 1, 0, 12, 0, 0, 9, 0, 0, 10, 0, 0})
	f.Add([]byte{64, 0, 80, 17, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 12, 0, 0})
	f.Fuzz(func(t *testing.T, code []byte) {
		code = code[:min(len(code), 600)]
		synctest.Test(t, func(t *testing.T) {
			if err := runProgram(code); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// wide is a payload so large that a chunk of the log holds few.
type wide struct {
	n int
	_ [64]uint64
}

// program is one run: a signal, the model of it, and what has been done.
type program struct {
	s         *signals.AsyncSignal[wide]
	m         model
	steps     bool // every call is held, and every Filter
	plain     bool // no MaxLag, no Once
	trace     []string
	listeners []*heldListener // as model.all
	ops       []*realOp
	payload   int

	mu       sync.Mutex
	failures []string
	told     int    // drops, by the observer
	run      uint64 // deliveries, when it was last looked at
	errs     []error
	observed bool
}

// realOp is a call of the program on the signal.
type realOp struct {
	*modelOp
	cancel context.CancelFunc
	mu     sync.Mutex
	ended  bool
	got    string
}

// heldListener is a listener whose calls wait until they are released.
type heldListener struct {
	l      *modelListener
	sub    *signals.Subscription // nil for Events and Chan
	cancel context.CancelFunc    // Until
	ch     <-chan wide           // of a Chan, or nil
	stop   context.CancelFunc    // its context

	mu   sync.Mutex
	open bool
	got  []int
	held []*heldCall
}

type heldCall struct {
	payload int
	ctx     context.Context // of the call
	do      chan func()     // closed to release the call
}

// hold notes the payloads of a call, or none of a Filter, and holds it.
func (h *heldListener) hold(ctx context.Context, payload int, got ...int) {
	h.mu.Lock()
	h.got = append(h.got, got...)
	if h.open || got == nil && !h.l.steps {
		h.mu.Unlock()
		return
	}
	c := &heldCall{payload, ctx, make(chan func())}
	h.held = append(h.held, c)
	h.mu.Unlock()
	for f := range c.do {
		f()
	}
}

func (h *heldListener) listen(ctx context.Context, w wide) error {
	h.hold(ctx, w.n, w.n)
	return h.behave(w.n)
}

func (h *heldListener) listenBatch(ctx context.Context, batch []wide) error {
	got := numbersOf(batch)
	h.hold(ctx, got[0], got...)
	return h.behave(got[0])
}

func numbersOf(batch []wide) (ns []int) {
	for _, w := range batch {
		ns = append(ns, w.n)
	}
	return ns
}

func (h *heldListener) behave(payload int) error {
	switch h.l.outcome(payload) {
	case "error":
		return errors.New("boom")
	case "veto":
		return signals.Veto(errors.New("boom"))
	case "skip":
		return signals.SkipRest
	case "panic":
		panic("boom")
	case "goexit":
		runtime.Goexit()
	}
	return nil
}

func (h *heldListener) pass(w wide) bool {
	h.hold(context.Background(), w.n)
	switch verdict(h.l.id, w.n) {
	case "panic":
		panic("boom")
	case "block":
		return false
	}
	return true
}

// take returns the held call with that payload, and forgets it.
func (h *heldListener) take(payload int, forget bool) *heldCall {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.held, func(c *heldCall) bool { return c.payload == payload })
	if i < 0 {
		return nil
	}
	c := h.held[i]
	if forget {
		h.held = slices.Delete(h.held, i, i+1)
	}
	return c
}

// runProgram runs code: two bytes of options, then three for each step.
func runProgram(code []byte) (err error) {
	if len(code) < 2 {
		return nil
	}
	p := &program{steps: code[0]&64 != 0, observed: code[0]&16 != 0}
	p.m.base = -1
	opts := []signals.Option{signals.Name("model"), signals.OnFailure(p.failed)}
	n := 1 + int(code[0]>>2&3)
	switch code[0] & 3 {
	case 1, 3:
		p.m.capacity = n
		p.plain = !p.steps
		opts = append(opts, signals.Capacity(n, signals.Block))
	case 2:
		p.m.capacity, p.m.reject = n, true
		opts = append(opts, signals.Capacity(n, signals.Reject))
	}
	if code[1]&1 != 0 {
		p.m.retain = 1 + int(code[1]>>1&31)
		opts = append(opts, signals.Retain(p.m.retain))
	}
	if p.m.around = code[0]&32 != 0; p.m.around {
		opts = append(opts, signals.Around(p.surround))
	}
	if p.observed {
		opts = append(opts, signals.Observe(signals.Observer{Drop: p.drop}))
	}
	p.s = signals.New[wide](opts...)
	p.trace = append(p.trace, fmt.Sprintf("Capacity %d, Retain %d, Reject %v, Around %v, observed %v, steps %v",
		p.m.capacity, p.m.retain, p.m.reject, p.m.around, p.observed, p.steps))
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\nafter:\n  %s", err, strings.Join(p.trace, "\n  "))
		}
		p.free()
	}()
	for code = code[2:]; len(code) >= 3; code = code[3:] {
		p.step(code[0], int(code[1]), int(code[2]))
		synctest.Wait()
		if err := p.compare(); err != nil {
			return err
		}
	}
	return p.finish()
}

// finish lets everything come to its end.
func (p *program) finish() error {
	for h := p.held(); h != nil; h = p.held() {
		p.release(h, 0)
		synctest.Wait()
		if err := p.compare(); err != nil {
			return err
		}
	}
	p.do(&modelOp{kind: opClose}, 0)
	synctest.Wait()
	return errors.Join(p.compare(), p.look())
}

// free ends all goroutines, whatever the state.
func (p *program) free() {
	for _, h := range p.listeners {
		h.mu.Lock()
		h.open = true
		for _, c := range h.held {
			close(c.do)
		}
		h.held = nil
		h.mu.Unlock()
		h.cancel()
		if h.ch != nil {
			h.stop()
		}
	}
	for _, op := range p.ops {
		op.cancel()
	}
	p.s.Reset()
	_ = p.s.Close(context.Background()) // its outcome has been compared
	synctest.Wait()
}

func (p *program) failed(_ context.Context, f signals.Failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := f.Key
	if f.Listener == "" {
		who = "refused"
	}
	var payload any
	switch v := f.Payload.(type) {
	case wide:
		payload = v.n
	case []wide:
		payload = numbersOf(v)
	}
	text := fmt.Sprintf("%s %d %s", who, payload, cause(f.Err))
	p.failures = append(p.failures, text)
}

func (p *program) drop(_ *signals.ListenerInfo, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told += n
}

// cause is the model's word for an error.
func cause(err error) string {
	var panicked *signals.PanicError
	switch {
	case err == nil:
		return ""
	case signals.IsVeto(err):
		return "veto"
	case errors.Is(err, signals.ErrClosed):
		return "closed"
	case errors.Is(err, signals.ErrOverflow):
		return "overflow"
	case errors.Is(err, signals.ErrDropped):
		return "dropped"
	case errors.Is(err, signals.ErrGoexit):
		return "goexit"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &panicked):
		return "panic"
	}
	return "error"
}

// outcomeOf is what an EmitWait returned, in the words of the model.
func outcomeOf(err error) string {
	var one *signals.ListenerError
	errs := []error{err}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		errs = many.Unwrap()
	} else if err == nil {
		errs = nil
	} else if !errors.As(err, &one) {
		return cause(err)
	}
	texts := []string{}
	for _, err := range errs {
		if errors.As(err, &one) {
			texts = append(texts, one.Key+" "+cause(err))
		} else {
			texts = append(texts, "unnamed "+cause(err))
		}
	}
	slices.Sort(texts)
	return fmt.Sprint(texts)
}

// compare compares what can be seen without asking the signal to tidy up.
func (p *program) compare() error {
	for _, g := range enginesOf(p.s) {
		if err := g.Check(); err != nil {
			return fmt.Errorf("the engine disagrees with itself: %w", err)
		}
	}
	for _, h := range p.listeners {
		h.mu.Lock()
		got, want := slices.Clone(h.got), slices.Clone(h.l.got)
		var held, calls []int
		for _, c := range h.held {
			held = append(held, c.payload)
		}
		h.mu.Unlock()
		if h.sub != nil && isClosed(h.sub.Done()) != p.m.ended(h.l) {
			return fmt.Errorf("listener %d %q is done: %t; the model %t", h.l.id, h.l.key, !p.m.ended(h.l), p.m.ended(h.l))
		}
		for _, c := range h.l.held() {
			if !h.l.channel || c.filtering {
				calls = append(calls, c.e.payload)
			}
		}
		if h.ch != nil && p.m.ended(h.l) && !isClosed(h.ch) {
			return fmt.Errorf("listener %d %q has ended, and its channel has not", h.l.id, h.l.key)
		}
		if err := p.compareContexts(h); err != nil {
			return err
		}
		if h.l.conc > 1 { // two that start at once have no order
			slices.Sort(got)
			slices.Sort(want)
		}
		slices.Sort(held)
		slices.Sort(calls)
		if !slices.Equal(got, want) || !slices.Equal(held, calls) {
			return fmt.Errorf("listener %d %q got %v, and is held at %v; the model %v at %v", h.l.id, h.l.key, got, held, want, calls)
		}
	}
	for i, op := range p.ops {
		op.mu.Lock()
		ended, got := op.ended, op.got
		op.mu.Unlock()
		if ended != op.done || ended && got != op.result {
			return fmt.Errorf("call %d, %s: returned %v with %q; the model %v with %q", i, op.kind, ended, got, op.done, op.result)
		}
	}
	p.mu.Lock()
	got, want := slices.Sorted(slices.Values(p.failures)), slices.Sorted(slices.Values(p.m.failures))
	err := errors.Join(p.errs...)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("failures %q; the model %q", got, want)
	}
	keys := []string{}
	for _, l := range p.m.list {
		keys = append(keys, l.key)
	}
	if got := p.s.Keys(); !slices.Equal(got, keys) {
		return fmt.Errorf("keys %q; the model %q", got, keys)
	}
	return nil
}

// compareContexts compares which calls of a listener have been cancelled.
func (p *program) compareContexts(h *heldListener) error {
	if !h.l.cancels {
		return nil
	}
	for _, c := range h.l.held() {
		held := h.take(c.e.payload, false)
		if held == nil || c.filtering {
			continue // told of elsewhere
		}
		if got, want := held.ctx.Err() != nil, p.m.cancelled(h.l, c); got != want {
			return fmt.Errorf("listener %d %q in %d is cancelled: %t; the model %t", h.l.id, h.l.key, c.e.payload, got, want)
		}
	}
	return nil
}

func isClosed[T any](c <-chan T) bool {
	select {
	case _, ok := <-c:
		return !ok
	default:
		return false
	}
}

// look compares what the signal has counted.
func (p *program) look() error {
	p.trace = append(p.trace, "look")
	if got, want := p.s.Pending(), len(p.m.pending); got != want {
		return fmt.Errorf("%d pending; the model %d", got, want)
	}
	st, m := p.s.Stats(), &p.m
	busy, failed := false, 0
	for _, l := range m.all {
		busy = busy || len(l.calls) > 0
		failed += l.failed
	}
	got := fmt.Sprintln(st.Emissions, st.Drops, st.Refusals, st.OverCapacity, st.Failures, st.Pending, st.Closed)
	want := fmt.Sprintln(m.accepted, m.dropped, m.refused, m.over, failed, len(m.pending), m.closed)
	if got != want || !counted(st.Deliveries, m.run, busy) {
		return fmt.Errorf("stats %s, %d deliveries; the model %s, %d", got, st.Deliveries, want, m.run)
	}
	if st.Deliveries < p.run {
		return fmt.Errorf("%d deliveries; there were %d before", st.Deliveries, p.run)
	}
	p.run = st.Deliveries
	if p.observed && p.told != m.dropped {
		return fmt.Errorf("the observer was told of %d drops; the model %d", p.told, m.dropped)
	}
	if len(st.Listeners) != len(m.list) {
		return fmt.Errorf("stats of %d listeners; the model %d", len(st.Listeners), len(m.list))
	}
	for i, l := range m.list {
		if err := l.check(st.Listeners[i]); err != nil {
			return err
		}
	}
	for _, h := range p.listeners {
		if h.sub != nil {
			if err := h.l.check(h.sub.Stats()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *modelListener) check(st signals.ListenerStats) error {
	lag := len(l.line)
	for _, c := range l.calls {
		lag += c.size()
	}
	if !l.listed {
		lag = st.Lag
	}
	inFlight := len(l.calls)
	got := fmt.Sprintln(st.Key, st.Drops, st.Failures, st.Vetoes, st.InFlight, st.Lag)
	want := fmt.Sprintln(l.key, l.dropped, l.failed, l.vetoed, inFlight, lag)
	if got != want || !counted(st.Deliveries, l.run, inFlight > 0) {
		return fmt.Errorf("listener %d: stats %s, %d deliveries; the model %s, %d", l.id, got, st.Deliveries, want, l.run)
	}
	return nil
}

// counted: deliveries are counted, some when the batch they are in has ended.
func counted(got uint64, want int, busy bool) bool {
	return got == uint64(want) || busy && got < uint64(want)
}

// enginesOf returns the engine of a signal, which nobody else should see.
func enginesOf(s *signals.AsyncSignal[wide]) []*engine.Engine {
	first := reflect.ValueOf(s).Elem().FieldByName("first")
	g := (*atomic.Pointer[engine.Engine])(first.Addr().UnsafePointer()).Load()
	if g == nil {
		return nil
	}
	return []*engine.Engine{g}
}
