package feedgen

import (
	"example.com/signals/examples/internal/trading/itch"
)

// news invents what is rare: halts and pauses, restrictions of short sales,
// broken trades and the like.
func (g *Generator) news(s *stock) {
	h := g.header(s.locate)
	switch g.rnd.IntN(8) {
	case 0:
		g.halt(s, itch.Halted, [4]byte{'T', '1', ' ', ' '})
	case 1:
		g.halt(s, itch.Paused, [4]byte{'L', 'U', 'D', 'P'})
	case 2, 3:
		s.short = !s.short
		action := byte('0')
		if s.short {
			action = '1'
		}
		g.push(itch.RegSHO{Stock: s.symbol, Action: action}.Message(h))
	case 4:
		g.push(itch.OperationalHalt{Stock: s.symbol, Market: 'Q', Action: 'H'}.Message(h))
		s.halted = true
		g.resume = append(g.resume, pending{s, g.made + g.interlude(), true})
	case 5:
		if g.match == 0 {
			g.quoting(s)
			return
		}
		g.push(itch.BrokenTrade{Match: 1 + g.rnd.Uint64N(g.match)}.Message(h))
	case 6:
		g.push(itch.RetailInterest{Stock: s.symbol, Flag: "BSAN"[g.rnd.IntN(4)]}.Message(h))
	default:
		g.push(itch.Participant{MPID: mpids[g.rnd.IntN(len(mpids))], Stock: s.symbol, Primary: 'N', Mode: 'N', State: "AEWSD"[g.rnd.IntN(5)]}.Message(h))
	}
}

// pending is a stock in which trading will resume.
type pending struct {
	s           *stock
	when        int64 // messages made
	operational bool
}

// interlude is how long trading stops, in messages.
func (g *Generator) interlude() int64 { return 200 + g.cfg.Messages/200 }

func (g *Generator) halt(s *stock, state byte, reason [4]byte) {
	h := g.header(s.locate)
	s.halted = true
	g.push(itch.TradingAction{Stock: s.symbol, State: state, Reserved: ' ', Reason: reason}.Message(h))
	if p := g.price(s); state == itch.Paused {
		g.push(itch.AuctionCollar{Stock: s.symbol, Reference: p, Upper: p / 20 * 21, Lower: p / 20 * 19}.Message(h))
	}
	g.resume = append(g.resume, pending{s, g.made + g.interlude(), false})
}

// resumes lets trading go on where it is time.
func (g *Generator) resumes(all bool) {
	kept := g.resume[:0]
	for _, p := range g.resume {
		if !all && g.made < p.when {
			kept = append(kept, p)
			continue
		}
		p.s.halted = false
		h := g.header(p.s.locate)
		if p.operational {
			g.push(itch.OperationalHalt{Stock: p.s.symbol, Market: 'Q', Action: 'T'}.Message(h))
			continue
		}
		for _, state := range []byte{itch.Quotation, itch.Trading} {
			g.push(itch.TradingAction{Stock: p.s.symbol, State: state, Reserved: ' ', Reason: [4]byte{' ', ' ', ' ', ' '}}.Message(h))
		}
	}
	g.resume = kept
}
