package shop

import "maps"

import "sync"

// Stock counts what is on the shelves. A reservation takes all lines of an
// order or none.
type Stock struct {
	endless bool // never runs out; set once at construction

	mu     sync.Mutex
	levels map[string]int64 // by stock code; guarded by mu
}

// NewStock has the given number of pieces per stock code, and nothing else.
func NewStock(levels map[string]int64) *Stock {
	s := &Stock{levels: make(map[string]int64, len(levels))}
	maps.Copy(s.levels, levels)
	return s
}

// EndlessStock takes every reservation: a replay has no shelves to look at.
// Its levels say how many more came back than left.
func EndlessStock() *Stock {
	return &Stock{endless: true, levels: make(map[string]int64)}
}

// Reserve takes the lines from the shelves, or returns an *OutOfStockError
// and takes nothing.
func (s *Stock) Reserve(lines []Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range lines {
		have := s.levels[l.Code]
		if !s.endless && have < l.Quantity {
			s.addLocked(lines[:i], +1)
			return &OutOfStockError{Code: l.Code, Want: l.Quantity, Have: have}
		}
		s.addLocked(lines[i:i+1], -1)
	}
	return nil
}

// Release puts the lines back: the undo of Reserve, and where returned goods go.
func (s *Stock) Release(lines []Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(lines, +1)
}

// Level is the number of pieces on the shelf.
func (s *Stock) Level(code string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.levels[code]
}

// addLocked must be called with mu held.
func (s *Stock) addLocked(lines []Line, sign int64) {
	for _, l := range lines {
		s.levels[l.Code] += sign * l.Quantity
	}
}
