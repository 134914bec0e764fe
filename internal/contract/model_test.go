package contract_test

import (
	"fmt"
	"slices"
)

// What the model says of an async signal, in slices and without goroutines:
//
//  1. An emission is refused if the signal is closed, or full with Reject. If it
//     is full with Block it queues, unless it comes from inside a listener. Full
//     is: there are listeners, and Capacity emissions pending or one in the queue.
//
//  2. An accepted emission joins the line of every listener. A listener with MaxLag
//     and a line that is too long drops its oldest, or all but its newest.
//
//  3. A listener takes the head of its line when fewer than Concurrency calls of it
//     are in flight. Its Filter is part of the call. Once removes it before the call.
//
//  4. A removed listener drops its line; a call in flight goes on.
//
//  5. An emission is pending until all who got it are through, by call or by drop.
//     When one no longer is, the queue moves up. Without listeners nothing pends.
//
//  6. An error, panic or Goexit is a failure, and changes nothing else. A refused
//     Emit is a failure too. A veto is none, but EmitWait gets it; SkipRest is as nil.
//
//  7. Drain ends when what was pending then no longer is, EmitWait when its emission
//     is not, Close turns the queue away and then drains; each with its ctx before.
//
//  8. A value in the hands of a channel is a call in flight, which ends when somebody
//     receives it. Removal drops it; Once removes behind it.
//
//  9. A listener of batches takes from the head of its line as many as it may: at most
//     MaxBatch, none from beyond a chunk, what an open Drain or Close waits for, or
//     what is replayed to it. Its Filter sees them one by one, and those that pass are
//     one call, with one failure for all.
//
//  10. An Around that does not go on makes a call that nobody sees, and one that
//     swallows a failure a delivery.
//
//  11. A cancellable call is told of the removal, but for that of Once, of a Close that
//     gave up, before it or in it, and of the end of its EmitWait.
//
//  12. With Retain a new listener first gets the last n accepted emissions in its line,
//     one by one. They pend again, and an open Drain waits for those before it; an
//     EmitWait does not wait for it. After Close nothing is retained.
//
// Each begins in a state in which nobody can move without the program. A
// program whose outcome depends on who moves first then is not generated.
type model struct {
	capacity int
	retain   int
	kept     []*modelEmission
	reject   bool
	closed   bool
	gaveUp   bool             // a Close has
	around   bool             // see wraps
	base     int              // where the chunks begin, or -1
	list     []*modelListener // in calling order
	all      []*modelListener // the removed ones too
	line     []*modelEmission // wait for room
	pending  []*modelEmission
	waits    []*modelOp // of Drain and Close, and of Subscription.Wait
	failures []string

	accepted, refused, over, dropped, run int
}

// modelListener is one registration.
type modelListener struct {
	id       int
	key      string
	priority int
	conc     int
	maxLag   int
	keep     bool // KeepLatest
	once     bool
	filter   bool
	events   bool // a range over Events
	channel  bool // a Chan
	batch    int  // of batches: MaxBatch, or more than a chunk
	cancels  bool // Cancellable
	steps    bool // filters are held, too
	open     bool // calls are not held
	fromNow  bool
	replayed map[*modelEmission]bool

	listed   bool
	attached bool // not registered on a closed signal
	line     []*modelEmission
	calls    []*modelCall // in flight, in order of start
	got      []int        // payloads of all calls begun
	run      int
	dropped  int
	failed   int
	vetoed   int
}

type modelCall struct {
	e         *modelEmission   // of a batch the first one
	in        []*modelEmission // of a batch: those that have passed the Filter
	failed    []*modelEmission // whose Filter has failed
	out       []*modelEmission // all others
	rest      []*modelEmission // that it has yet to see
	filtering bool
	waiting   bool // behind its Filter, for the calls of earlier emissions to start
}

type modelEmission struct {
	payload int
	op      *modelOp
	at      int // accepted before
	left    int // listeners that are not through
	asked   int // those of them that an EmitWait waits for
	errs    []string
}

// modelOp is a call of the program that may wait: what it returns, when it has.
type modelOp struct {
	kind   opKind
	e      *modelEmission   // emissions
	until  []*modelEmission // Drain and Close: those that must be finished
	quiet  *modelListener   // Subscription.Wait
	at     int              // accepted before
	done   bool
	ended  bool // its context has
	result string
}

type opKind string

const (
	opEmit     opKind = "Emit"
	opOffer    opKind = "Offer"
	opEmitWait opKind = "EmitWait"
	opDrain    opKind = "Drain"
	opClose    opKind = "Close"
	opWait     opKind = "Wait"
)

// emit is an Emit, Offer or EmitWait, perhaps from inside a listener.
func (m *model) emit(op *modelOp, payload int, inside bool) {
	e := &modelEmission{payload: payload, op: op}
	op.e = e
	full := m.capacity > 0 && m.attached() > 0 && (len(m.pending) >= m.capacity || len(m.line) > 0)
	switch {
	case m.closed:
		m.refuse(e, "closed")
		return
	case full && m.reject:
		m.refuse(e, "overflow")
		return
	case full && !inside:
		m.line = append(m.line, e)
		return
	case full:
		m.over++
	}
	m.accept(e)
	m.settle()
}

func (m *model) attached() (n int) {
	for _, l := range m.list {
		if l.attached {
			n++
		}
	}
	return n
}

func (m *model) refuse(e *modelEmission, why string) {
	m.refused++
	if e.op.kind == opEmit {
		m.failures = append(m.failures, fmt.Sprintf("refused %d %s", e.payload, why))
		why = ""
	}
	e.op.done, e.op.result = true, why
}

func (m *model) accept(e *modelEmission) {
	e.at = m.accepted
	m.accepted++
	if e.op.kind != opEmitWait {
		e.op.done = true
	}
	if m.retain > 0 {
		m.kept = append(m.kept, e)
		m.kept = m.kept[max(0, len(m.kept)-m.retain):]
	}
	e.left = m.attached()
	e.asked = e.left
	if m.base < 0 && (e.left > 0 || m.retain > 0) {
		m.base = e.at
	}
	m.pending = append(m.pending, e)
	m.finished(e)
	for _, l := range m.list {
		if l.attached {
			l.line = append(l.line, e)
		}
	}
	for _, l := range m.list {
		m.trim(l)
	}
}

// trim is MaxLag.
func (m *model) trim(l *modelListener) {
	if l.maxLag == 0 || len(l.line) <= l.maxLag {
		return
	}
	n := 1
	if l.keep {
		n = len(l.line) - 1
	}
	m.drop(l, n)
}

// replay gives a new listener what is retained.
func (m *model) replay(l *modelListener) {
	l.replayed = make(map[*modelEmission]bool)
	for _, e := range m.kept {
		l.replayed[e] = true
		if e.left++; e.left == 1 {
			m.pending = append(m.pending, e)
		}
		for _, op := range m.waits {
			if !op.done && op.kind == opDrain && e.at < op.at {
				op.until = append(op.until, e)
			}
		}
	}
	for _, e := range m.kept {
		l.line = append(l.line, e)
		m.trim(l)
	}
}

// drop drops the n oldest that wait for l.
func (m *model) drop(l *modelListener, n int) {
	gone := slices.Clone(l.line[:n])
	l.line = l.line[n:]
	for _, e := range gone {
		l.dropped++
		m.dropped++
		m.through(l, e, "dropped")
	}
}

// through notes that l is through with e.
func (m *model) through(l *modelListener, e *modelEmission, err string) {
	e.left--
	if !l.replayed[e] {
		e.asked--
		if err != "" {
			e.errs = append(e.errs, l.key+" "+err)
		}
	}
	m.finished(e)
}

func (m *model) finished(e *modelEmission) {
	if e.left == 0 {
		m.pending = slices.DeleteFunc(m.pending, func(p *modelEmission) bool { return p == e })
	}
	if e.asked > 0 {
		return
	}
	if op := e.op; !op.done {
		slices.Sort(e.errs)
		op.done, op.result = true, fmt.Sprint(e.errs)
	}
}

// admit moves the queue up.
func (m *model) admit() {
	for len(m.line) > 0 && (len(m.pending) < m.capacity || m.attached() == 0) {
		e := m.line[0]
		m.line = m.line[1:]
		m.accept(e)
	}
}

// settle lets everybody go on who can.
func (m *model) settle() {
	for moved := true; moved; {
		m.admit()
		moved = false
		for _, l := range slices.Clone(m.list) {
			if len(l.line) > 0 && len(l.calls) < l.conc {
				m.begin(l)
				moved = true
				break
			}
			if (l.events || l.channel) && m.closed && len(l.line) == 0 && len(l.calls) == 0 {
				m.remove(l) // its range has ended
				moved = true
				break
			}
		}
	}
	for _, op := range m.waits {
		left := slices.ContainsFunc(op.until, func(e *modelEmission) bool { return slices.Contains(m.pending, e) })
		if !left && (op.quiet == nil || len(op.quiet.calls) == 0) {
			op.done = true
		}
	}
}

// held returns the calls that wait to be released: all but those that wait for
// their turn.
func (l *modelListener) held() (cs []*modelCall) {
	for _, c := range l.calls {
		if !c.waiting {
			cs = append(cs, c)
		}
	}
	return cs
}

// begin starts a call.
func (m *model) begin(l *modelListener) {
	if l.batch > 0 {
		m.beginBatch(l)
		return
	}
	c := &modelCall{e: l.line[0], filtering: l.filter}
	l.line = l.line[1:]
	l.calls = append(l.calls, c)
	switch {
	case !c.filtering:
		m.enter(l, c)
	case !l.steps:
		m.filtered(l, c)
	}
}

// filtered ends the Filter of a call.
func (m *model) filtered(l *modelListener, c *modelCall) {
	if l.batch > 0 {
		m.filteredOne(l, c)
		return
	}
	c.filtering = false
	switch v := verdict(l.id, c.e.payload); {
	case v == "panic":
		m.end(l, c, "panic")
	case !l.listed: // removed meanwhile
		m.lose(l, c)
	case v == "pass":
		c.waiting = true
	default:
		m.end(l, c, "")
	}
	m.turns(l)
}

// turns lets the calls whose filters have passed start, in order.
func (m *model) turns(l *modelListener) {
	for _, c := range slices.Clone(l.calls) {
		if c.filtering {
			return
		}
		if c.waiting {
			c.waiting = false
			m.enter(l, c)
		}
	}
}

// lose takes c from the calls of l, which was removed before it.
func (m *model) lose(l *modelListener, c *modelCall) {
	l.dropped++
	m.dropped++
	m.take(l, c, "dropped")
}

// enter begins the call of the listener itself.
func (m *model) enter(l *modelListener, c *modelCall) {
	if l.once && !l.channel {
		m.remove(l)
	}
	if m.wraps(l, c) == "refuses" {
		if !l.steps {
			m.leave(l, c)
		}
		return
	}
	if !l.channel {
		l.got = append(l.got, c.e.payload)
	}
	if l.open {
		m.leave(l, c)
	}
}

// wraps is what Around does with a call.
func (m *model) wraps(l *modelListener, c *modelCall) string {
	if !m.around || l.channel {
		return ""
	}
	return wraps(l.key, c.e.payload)
}

// wraps is what the Around of a signal does: it knows the listener by its key, and
// the payload by the context.
func wraps(key string, payload int) string {
	switch (payload*11 + len(key)*5 + int(key[len(key)-1])) % 9 {
	case 0:
		return "refuses"
	case 1, 2:
		return "swallows"
	}
	return ""
}

// leave ends the call of the listener itself.
func (m *model) leave(l *modelListener, c *modelCall) {
	l.run++
	m.run++
	if l.channel { // it is received
		l.got = append(l.got, c.e.payload)
	}
	outcome := l.outcome(c.e.payload)
	switch m.wraps(l, c) {
	case "refuses":
		outcome = "error"
	case "swallows":
		if outcome != "goexit" {
			outcome = ""
		}
	}
	if l.batch > 0 {
		m.endBatch(l, c, outcome)
		return
	}
	if l.once && l.channel { // removed behind it
		l.calls = nil
		m.remove(l)
		l.calls = []*modelCall{c}
	}
	m.end(l, c, outcome)
}

func (m *model) end(l *modelListener, c *modelCall, err string) {
	m.take(l, c, m.outcome(l, c.e.payload, err))
}

// outcome counts what has come of a call with what, and returns its error.
func (m *model) outcome(l *modelListener, what any, err string) string {
	switch err {
	case "skip": // as nil
		return ""
	case "veto":
		l.vetoed++
	case "":
	default:
		l.failed++
		m.failures = append(m.failures, fmt.Sprintf("%s %d %s", l.key, what, err))
	}
	return err
}

// take takes c from the calls of l.
func (m *model) take(l *modelListener, c *modelCall, err string) {
	l.calls = slices.DeleteFunc(l.calls, func(d *modelCall) bool { return d == c })
	m.through(l, c.e, err)
	m.admit()
}

// release lets call i, which is held, go on.
func (m *model) release(l *modelListener, i int) {
	if c := l.calls[i]; c.filtering {
		m.filtered(l, c)
	} else {
		m.leave(l, c)
	}
	m.settle()
}

// add registers l; false: its key is taken.
func (m *model) add(l *modelListener) bool {
	if m.byKey(l.key) != nil {
		return false
	}
	m.all = append(m.all, l)
	if (l.events || l.channel) && m.closed {
		return true // it has ended already
	}
	l.listed, l.attached = true, !m.closed
	at := 0
	for at < len(m.list) && m.list[at].priority >= l.priority {
		at++
	}
	m.list = slices.Insert(m.list, at, l)
	if l.attached && !l.fromNow {
		m.replay(l)
		m.settle()
	}
	return true
}

// ended reports whether the registration of l has ended.
func (m *model) ended(l *modelListener) bool {
	return len(l.calls) == 0 && (!l.listed || !l.attached || m.closed && len(l.line) == 0)
}

func (m *model) byKey(key string) *modelListener {
	if i := slices.IndexFunc(m.list, func(l *modelListener) bool { return l.key == key }); i >= 0 {
		return m.list[i]
	}
	return nil
}

func (m *model) remove(l *modelListener) {
	l.listed = false
	m.list = slices.DeleteFunc(slices.Clone(m.list), func(o *modelListener) bool { return o == l })
	m.drop(l, len(l.line))
	m.admit()
	for _, c := range slices.Clone(l.calls) {
		if c.waiting || l.channel && !c.filtering {
			c.waiting = false
			m.lose(l, c)
		}
	}
	if m.retain == 0 && m.attached() == 0 {
		m.base = -1 // nobody needs the log
	}
}

// close refuses from now on.
func (m *model) close() {
	m.closed, m.kept = true, nil
	for _, e := range m.line {
		m.refuse(e, "closed")
	}
	m.line = nil
}

// wait is a Drain, Close or Wait that begins now.
func (m *model) wait(op *modelOp) {
	if op.kind != opWait {
		op.until, op.at = slices.Clone(m.pending), m.accepted
	}
	m.waits = append(m.waits, op)
	m.settle()
}

// cancel ends the context of op, which has not returned.
func (m *model) cancel(op *modelOp) {
	op.ended = true
	m.gaveUp = m.gaveUp || op.kind == opClose
	if i := slices.Index(m.line, op.e); op.e != nil && i >= 0 {
		m.line = slices.Delete(m.line, i, i+1)
		m.refuse(op.e, "canceled")
		return
	}
	op.done, op.result = true, "canceled"
}

// outcome is what a listener does with a payload.
func (l *modelListener) outcome(payload int) string {
	if l.events || l.channel {
		return ""
	}
	switch (payload*7 + l.id*3) % 13 {
	case 0:
		return "error"
	case 1:
		return "panic"
	case 2:
		return "goexit"
	case 3:
		return "veto"
	case 4:
		return "skip"
	}
	return ""
}

// verdict is what the Filter of a listener does with a payload.
func verdict(id, payload int) string {
	switch {
	case (payload*5+id)%17 == 0:
		return "panic"
	case (payload+id)%3 == 0:
		return "block"
	}
	return "pass"
}
