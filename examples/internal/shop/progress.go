package shop

import (
	"fmt"
	"time"

	"example.com/signals/examples/internal/english"
)

// progress shows how far a replay has come: a bar on a terminal, otherwise a
// line every second.
type progress struct {
	screen *Screen
	input  *Input
	start  time.Time
	next   time.Time
}

func newProgress(screen *Screen, input *Input) *progress {
	now := time.Now()
	p := &progress{screen: screen, input: input, start: now, next: now}
	if !screen.Terminal() {
		p.next = now.Add(time.Second)
	}
	return p
}

func (p *progress) show(done *Replayed) {
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	if p.screen.Terminal() {
		p.next = now.Add(100 * time.Millisecond)
		p.screen.Bar(p.input.Done(), p.text(done, now))
		return
	}
	p.next = now.Add(time.Second)
	percent := ""
	if part := p.input.Done(); part >= 0 {
		percent = fmt.Sprintf("%.0f%%, ", min(part, 1)*100)
	}
	p.screen.Printf("%s%s", percent, p.text(done, now))
}

// end takes the bar away and leaves one last line behind, unless an error
// takes its place.
func (p *progress) end(done *Replayed, err error) {
	p.screen.Bar(0, "")
	if err == nil {
		p.screen.Printf("read %s", p.text(done, time.Now()))
	}
}

func (p *progress) text(done *Replayed, now time.Time) string {
	took := now.Sub(p.start)
	text := fmt.Sprintf("%s in %.1f s", english.Plural(done.Lines, "line"), took.Seconds())
	if took > 0 {
		text += fmt.Sprintf(" (%s lines/s)", english.GroupDigits(fmt.Sprintf("%.0f", float64(done.Lines)/took.Seconds())))
	}
	if done.Known > 0 {
		text += fmt.Sprintf(", %s known", english.Group(done.Known))
	}
	if done.Malformed > 0 {
		text += fmt.Sprintf(", %s malformed", english.Group(done.Malformed))
	}
	return text
}
