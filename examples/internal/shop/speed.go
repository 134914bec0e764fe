package shop

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Speed is how much faster than real time something runs; 0 is as fast as it can.
type Speed float64

// MaxSpeed waits for nothing.
const MaxSpeed Speed = 0

// ParseSpeed reads max, 1x, 1000x and the like.
func ParseSpeed(s string) (Speed, error) {
	if s == "max" {
		return MaxSpeed, nil
	}
	num, isFactor := strings.CutSuffix(s, "x")
	f, err := strconv.ParseFloat(num, 64)
	if !isFactor || err != nil || !(f >= 0.001 && f <= 1e9) || math.IsNaN(f) {
		return 0, fmt.Errorf("bad speed %q: want max, or a factor such as 1x or 1000x", s)
	}
	return Speed(f), nil
}

// String is the inverse of ParseSpeed.
func (s Speed) String() string {
	if s == MaxSpeed {
		return "max"
	}
	return strconv.FormatFloat(float64(s), 'f', -1, 64) + "x"
}

// Pacer makes things happen as far apart as they are dated, divided by a speed.
type Pacer struct {
	speed      Speed
	start      time.Time // by the clock
	firstEvent time.Time // by the dates
}

// NewPacer starts with the first call of Wait.
func NewPacer(speed Speed) *Pacer { return &Pacer{speed: speed} }

// Wait returns when it is time for what is dated at, or with an error when ctx
// has ended. What is dated earlier than what came before does not wait.
func (p *Pacer) Wait(ctx context.Context, at time.Time) error {
	if p.start.IsZero() {
		p.start, p.firstEvent = time.Now(), at
	}
	if p.speed != MaxSpeed {
		due := p.start.Add(time.Duration(float64(at.Sub(p.firstEvent)) / float64(p.speed)))
		if wait := time.Until(due); wait > 0 {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
	}
	return ctx.Err()
}
