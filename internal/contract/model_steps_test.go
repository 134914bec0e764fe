package contract_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/signals"
)

// step does one step of a program: op chooses what, a and b choose with whom
// and how. A step that makes no sense now does nothing.
func (p *program) step(op byte, a, b int) {
	switch op % 20 {
	default:
		kind := []opKind{opEmit, opOffer, opEmitWait}[a%3]
		p.payload++
		p.do(&modelOp{kind: kind}, p.payload)
	case 5, 6:
		p.add(a, b)
	case 7:
		if h := p.pick(a, func(h *heldListener) bool { return h.l.listed }); h != nil {
			p.remove(h, b)
		}
	case 8:
		if a < 32 {
			p.reset("outside", func(f func()) { f() })
		}
	case 9:
		p.do(&modelOp{kind: opDrain}, 0)
	case 10:
		if a < 32 {
			p.do(&modelOp{kind: opClose}, 0)
		}
	case 11:
		if p.steps {
			p.releaseOne(a, b)
		} else if h := p.pick(a, func(h *heldListener) bool { return h.l.listed }); h != nil {
			p.toggle(h)
		}
	case 12, 13, 14:
		p.releaseOne(a, b)
	case 15:
		p.cancel(a)
	case 16, 17:
		if h := p.pick(a, inFlight); h != nil {
			p.inside(h, h.take(h.l.held()[b%len(h.l.held())].e.payload, false), b/8)
		}
	case 18:
		if err := p.look(); err != nil {
			p.wrong(err)
		}
	case 19:
		h := p.pick(a, func(h *heldListener) bool { return !h.l.listed && h.sub != nil && inFlight(h) })
		if h != nil {
			p.do(&modelOp{kind: opWait, quiet: h.l}, 0)
		}
	}
}

func inFlight(h *heldListener) bool { return len(h.l.calls) > 0 }

func (p *program) say(format string, args ...any) {
	p.trace = append(p.trace, fmt.Sprintf(format, args...))
}

// pick returns the a-th listener that is wanted, or nil.
func (p *program) pick(a int, wanted func(*heldListener) bool) *heldListener {
	var some []*heldListener
	for _, h := range p.listeners {
		if wanted(h) {
			some = append(some, h)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some[a%len(some)]
}

// held returns a listener with a call in flight, or nil.
func (p *program) held() *heldListener { return p.pick(0, inFlight) }

// do makes a call that may wait.
func (p *program) do(m *modelOp, payload int) {
	p.say("call %d: %s %d", len(p.ops), m.kind, payload)
	ctx, cancel := context.WithCancel(context.Background())
	op := &realOp{modelOp: m, cancel: cancel}
	p.ops = append(p.ops, op)
	var sub *signals.Subscription
	switch m.kind {
	case opWait:
		sub = p.byModel(m.quiet).sub
		p.m.wait(m)
	case opDrain:
		p.m.wait(m)
	case opClose:
		p.m.close()
		p.m.wait(m)
	default:
		p.m.emit(m, payload, false)
	}
	go func() { op.end(op.call(ctx, p.s, sub, payload)) }()
}

// payloadKey is of the number of an emission in its context.
type payloadKey struct{}

// surround is the Around of a signal.
func (p *program) surround(ctx context.Context, l *signals.ListenerInfo, next func(context.Context) error) error {
	n, ok := ctx.Value(payloadKey{}).(int)
	if !ok {
		panic("the context has lost its values")
	}
	switch wraps(l.Key, n) {
	case "refuses":
		p.lastOf(l.Key).hold(ctx, n)
		return errors.New("boom")
	case "swallows":
		_ = next(ctx)
		return nil
	}
	return next(ctx)
}

// lastOf returns the last listener that had a key: the one that is called.
func (p *program) lastOf(key string) *heldListener {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range slices.Backward(p.listeners) {
		if h.l.key == key {
			return h
		}
	}
	panic("no listener has that key")
}

func (op *realOp) call(ctx context.Context, s *signals.AsyncSignal[wide], sub *signals.Subscription, payload int) string {
	ctx = context.WithValue(ctx, payloadKey{}, payload)
	switch op.kind {
	case opEmit:
		s.Emit(ctx, wide{n: payload})
		return ""
	case opOffer:
		return cause(s.Offer(ctx, wide{n: payload}))
	case opEmitWait:
		return outcomeOf(s.EmitWait(ctx, wide{n: payload}))
	case opDrain:
		return cause(s.Drain(ctx))
	case opClose:
		return cause(s.Close(ctx))
	default:
		return cause(sub.Wait(ctx))
	}
}

func (op *realOp) end(result string) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.ended, op.got = true, result
}

func (p *program) byModel(l *modelListener) *heldListener {
	return p.listeners[l.id]
}

func (p *program) add(a, b int) {
	l := &modelListener{
		id: len(p.listeners), key: fmt.Sprint("k", a%6), priority: a/6%3 - 1, conc: 1,
		fromNow: p.m.retain > 0 && b%5 == 0,
		filter:  a&64 != 0, once: b&1 != 0 && a&128 != 0, events: b&64 != 0, steps: p.steps, open: !p.steps,
	}
	if !l.events && !l.once && b&48 == 48 {
		l.conc = 2
	}
	switch {
	case !p.steps: // what follows is of those whose every call is held
	case !l.events && b>>3%4 == 1:
		l.channel, l.conc = true, 1
		l.once = l.once && (p.m.capacity == 0 || p.m.reject) // see remove
	case !l.events && b>>3%4 == 2:
		l.once, l.conc, l.batch = false, 1, []int{1, 2, 3, 5, 1000}[a%5]
	}
	l.cancels = !l.events && !l.channel && a&32 != 0
	if p.steps && l.once {
		l.filter = true // so that its removal is a step of its own
	}
	if p.plain {
		l.once = false
	} else if b&6 == 2 || b&6 == 4 {
		l.maxLag, l.keep = 1+b>>3&3, b&6 == 4
	}
	p.say("add %d: %+v", l.id, *l)
	ctx, cancel := context.WithCancel(context.Background())
	h := &heldListener{l: l, open: l.open, cancel: cancel}
	opts := []signals.ListenerOption{signals.Key(l.key), signals.Priority(l.priority), signals.Until(ctx)}
	if l.cancels {
		opts = append(opts, signals.Cancellable())
	}
	if l.batch > 0 && l.batch < 1000 {
		opts = append(opts, signals.MaxBatch(l.batch))
	}
	if l.conc > 1 {
		opts = append(opts, signals.Concurrency(l.conc))
	}
	if l.filter {
		opts = append(opts, signals.Filter(h.pass))
	}
	if l.fromNow {
		opts = append(opts, signals.FromNow())
	}
	if l.once {
		opts = append(opts, signals.Once())
	}
	if l.maxLag > 0 {
		policy := signals.DropOldest
		if l.keep {
			policy = signals.KeepLatest
		}
		opts = append(opts, signals.MaxLag(l.maxLag, policy))
	}
	if !p.m.add(l) {
		if l.batch > 0 {
			opts = []signals.ListenerOption{signals.Key(l.key)} // without MaxBatch
		}
		if _, err := p.s.TrySubscribe(h.listen, opts...); !errors.Is(err, signals.ErrKeyTaken) && !p.m.closed {
			p.wrong(fmt.Errorf("key %q is taken, and TrySubscribe returned %w", l.key, err))
		}
		cancel()
		return
	}
	p.mu.Lock()
	p.listeners = append(p.listeners, h)
	p.mu.Unlock()
	switch {
	case l.events:
		go func() {
			for w := range p.s.Events(context.Background(), opts...) {
				h.hold(context.Background(), w.n, w.n)
			}
		}()
	case l.channel:
		ctx, h.stop = context.WithCancel(context.Background())
		h.ch = p.s.Chan(ctx, opts...)
	case l.batch > 0:
		h.sub = p.s.SubscribeBatch(h.listenBatch, opts...)
	default:
		h.sub = p.s.Subscribe(h.listen, opts...)
	}
}

// remove removes a listener. That of a channel makes room twice, by what waits and by
// what is in hand, and who claims in between is open.
func (p *program) remove(h *heldListener, how int) {
	if h.l.channel && len(p.m.line) > 0 {
		return
	}
	p.say("remove %d, way %d", h.l.id, how%3)
	p.m.remove(h.l)
	p.m.settle()
	switch {
	case how%3 == 0 && h.sub != nil:
		h.sub.Unsubscribe()
	case how%3 == 0 && h.ch != nil:
		h.stop()
	case how%3 == 1:
		h.cancel()
	default:
		left := len(p.m.list)
		if n := p.s.RemoveListener(h.l.key); n != left && !p.m.closed { // ranges leave a closed signal by themselves
			p.wrong(fmt.Errorf("RemoveListener returned %d, %d are left", n, left))
		}
	}
}

// reset removes all by a call of Reset. That goes one by one, and what moves up
// from the queue meanwhile may reach those that are still there.
func (p *program) reset(say string, call func(func())) {
	if len(p.m.line) > 0 {
		return
	}
	p.say("reset %s", say)
	for len(p.m.list) > 0 {
		p.m.remove(p.m.list[0])
	}
	p.m.settle()
	call(p.s.Reset)
}

func (p *program) releaseOne(a, b int) {
	if h := p.pick(a, inFlight); h != nil {
		p.release(h, b%len(h.l.held()))
	}
}

// release lets a held call go on, to its end or from the Filter to the call.
func (p *program) release(h *heldListener, i int) {
	c := h.l.held()[i]
	payload, i := c.e.payload, slices.Index(h.l.calls, c)
	p.say("release %d in %d", payload, h.l.id)
	inHand := h.l.channel && !c.filtering
	p.m.release(h.l, i)
	if inHand {
		p.receive(h, payload)
		return
	}
	close(h.take(payload, true).do)
}

// receive receives the value in hand.
func (p *program) receive(h *heldListener, payload int) {
	select {
	case w, ok := <-h.ch:
		if !ok || w.n != payload {
			p.wrong(fmt.Errorf("listener %d gave %d, %v; want %d", h.l.id, w.n, ok, payload))
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, w.n)
	default:
		p.wrong(fmt.Errorf("listener %d has nothing in hand; want %d", h.l.id, payload))
	}
}

// toggle holds the calls of a listener from now on, or lets all go.
func (p *program) toggle(h *heldListener) {
	h.l.open = !h.l.open
	p.say("open %d: %v", h.l.id, h.l.open)
	h.mu.Lock()
	h.open = h.l.open
	held := h.held
	if h.open {
		h.held = nil
	}
	h.mu.Unlock()
	if !h.l.open {
		return
	}
	for n := len(h.l.held()); n > 0; n-- {
		p.m.release(h.l, 0) // the first one never waits for its turn
	}
	for _, c := range held {
		close(c.do)
	}
}

// cancel ends the context of a call that has not returned.
func (p *program) cancel(a int) {
	var waiting []*realOp
	for _, op := range p.ops {
		if !op.done {
			waiting = append(waiting, op)
		}
	}
	if len(waiting) == 0 {
		return
	}
	op := waiting[a%len(waiting)]
	p.say("cancel a %s", op.kind)
	p.m.cancel(op.modelOp)
	op.cancel()
}

// inside does something in a call that is held.
func (p *program) inside(h *heldListener, c *heldCall, what int) {
	ctx := context.Background()
	if c == nil {
		return
	}
	switch what % 5 {
	case 0, 1, 2:
		p.payload++
		kind := []opKind{opEmit, opOffer}[what%2]
		op := &realOp{modelOp: &modelOp{kind: kind}, cancel: func() {}}
		p.say("call %d: %s %d inside %d", len(p.ops), kind, p.payload, h.l.id)
		p.ops = append(p.ops, op)
		n := p.payload
		p.m.emit(op.modelOp, n, true)
		c.do <- func() { op.end(op.call(ctx, p.s, nil, n)) }
	case 3:
		p.say("waits inside %d", h.l.id)
		c.do <- func() {
			for i, err := range []error{p.s.Drain(ctx), p.s.Close(ctx), p.s.EmitWait(ctx, wide{}), h.sub.Wait(ctx)} {
				if !errors.Is(err, signals.ErrWouldDeadlock) && (i < 3 || h.sub != nil) {
					p.wrong(fmt.Errorf("wait %d inside a listener returned %w", i, err))
				}
			}
		}
	case 4:
		p.reset(fmt.Sprintf("inside %d", h.l.id), func(f func()) { c.do <- f })
	}
}

// wrong notes an error for the next compare.
func (p *program) wrong(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
}
