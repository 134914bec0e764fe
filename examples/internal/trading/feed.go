package trading

import (
	"context"
	"errors"
	"io"
	"runtime"
	"time"

	"example.com/signals/examples/internal/trading/itch"
)

// Source is where messages come from, until io.EOF.
type Source interface {
	Next(m *itch.Message) error
}

// Pace says when messages are due. The zero value is as fast as it goes.
type Pace struct {
	Speed    float64       // so many times as fast as the times of the messages say; 0: not by them
	Rate     float64       // so many messages a second, at even distances; 0: not so
	From, To time.Duration // with Speed: what is outside of these counts as at their ends; both 0: all counts
}

// due is when message n is due, after the first one.
func (p *Pace) due(n int64, t, first time.Duration) time.Duration {
	if p.Rate > 0 {
		return time.Duration(float64(n) / p.Rate * float64(time.Second))
	}
	if p.To > 0 {
		t, first = min(max(t, p.From), p.To), min(max(first, p.From), p.To)
	}
	return time.Duration(float64(t-first) / p.Speed)
}

func (p *Pace) measured() bool { return p.Speed > 0 || p.Rate > 0 }

// Run is what a Feed has fed.
type Run struct {
	Messages    int64
	ByType      [256]int64
	Began, Took time.Duration // by the engine's clock; the end is when the feed was in the books
	Samples     []Sample
	Interrupted bool
}

// Sample says how many messages had been fed at a time.
type Sample struct {
	At       time.Duration // since the run began
	Messages int64
}

// Throughput is messages a second.
func (r *Run) Throughput() float64 { return float64(r.Messages) / max(r.Took.Seconds(), 1e-9) }

const (
	sampleEvery = 50 * time.Millisecond
	lookEvery   = 1024 // messages at full speed between two looks at the clock
	spin        = 2 * time.Millisecond
)

// Feed emits all messages of a source at a pace, and returns when they are in
// the books. It ends early, without an error, when ctx does.
//
// It is an open loop: a message is due when it is due, however far the engine
// is behind, and its latency counts from then. Shortly before that Feed gives
// way and looks at the clock again, as timers are too coarse; so at a pace it
// uses all of a processor that nobody else wants.
func (e *Engine) Feed(ctx context.Context, src Source, pace Pace) (run Run, err error) {
	began := e.Now()
	run.Began = time.Duration(began)
	run.Samples = make([]Sample, 1, 4096)
	next := sampleEvery
	var in Input
	var first time.Duration
	for {
		if err = src.Next(&in.Message); err != nil {
			break
		}
		if run.Messages == 0 {
			first = in.Message.Time()
		}
		if pace.measured() {
			in.Due = began + int64(pace.due(run.Messages, in.Message.Time(), first)) + 1
			if !e.await(ctx, in.Due) {
				run.Interrupted = true
				break
			}
		}
		if run.Messages%lookEvery == 0 || in.Due != 0 && time.Duration(in.Due-began) >= next {
			if ctx.Err() != nil {
				run.Interrupted = true
				break
			}
			if now := time.Duration(e.Now() - began); now >= next {
				run.Samples = append(run.Samples, Sample{now, run.Messages})
				next = now + sampleEvery
			}
		}
		if run.Messages%lookEvery == 0 && e.Signals.Market.Pending() > backlog {
			_ = e.Signals.Market.Drain(context.Background()) // an error would be of a Feed inside a listener
		}
		if t := in.Message.Type(); t == itch.TypeSystemEvent || t == itch.TypeBreach {
			e.tellShards(&in.Message)
		}
		// Not ctx, so that what was read is not lost with it.
		e.Signals.Market.Emit(context.Background(), in)
		run.ByType[in.Message.Type()]++
		run.Messages++
	}
	switch {
	case errors.Is(err, io.EOF):
		err = nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()): // the source has noticed first
		run.Interrupted, err = true, nil
	}
	drained := e.Signals.Market.Drain(context.Background())
	run.Took = time.Duration(e.Now() - began)
	run.Samples = append(run.Samples, Sample{run.Took, run.Messages})
	return run, errors.Join(err, drained)
}

// tellShards copies a message about all stocks to the shards that it does not go
// to itself. The copies come first: what lets orders pass the gate must not
// overtake them.
func (e *Engine) tellShards(msg *itch.Message) {
	shards := len(e.Market.shards)
	for n := range shards {
		if n == int(msg.Locate())%shards {
			continue
		}
		h := itch.Header{Locate: uint16(n), Time: msg.Time()}
		in := Input{Asked: marketWide}
		if msg.Type() == itch.TypeBreach {
			in.Message = msg.Breach().Message(h)
		} else {
			in.Message = msg.SystemEvent().Message(h)
		}
		e.Signals.Market.Emit(context.Background(), in)
	}
}

// await returns when it is time, or false when ctx has ended.
func (e *Engine) await(ctx context.Context, due int64) bool {
	for {
		wait := time.Duration(due - e.Now())
		switch {
		case wait <= 0:
			return true
		case ctx.Err() != nil:
			return false
		case wait < spin:
			runtime.Gosched()
			continue
		}
		timer := time.NewTimer(wait - spin/2)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
