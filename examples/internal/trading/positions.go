package trading

import (
	"context"
	"fmt"
	"sync"

	"example.com/signals/examples/internal/english"
)

// Positions keeps what each account has and what that is worth.
type Positions struct {
	mu       sync.Mutex
	marks    [1 << 16]int64 // by locate: price of the last trade; guarded by mu, and so is the rest
	accounts [Accounts]account
	orders   int64 // executions of orders, filled or not
	filled   int64 // of those, the ones that got something
	rejected int64 // of those, the ones that the exchange rejected
	shares   int64 // bought or sold
}

type account struct {
	cash   int64 // in 1/10,000 of a dollar
	shares map[uint16]int64
}

func newPositions() *Positions {
	p := &Positions{}
	for i := range p.accounts {
		p.accounts[i].shares = make(map[uint16]int64)
	}
	return p
}

// OnExecution listens to order.execution.
func (p *Positions) OnExecution(_ context.Context, x Execution) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.orders++
	if x.Why != "" {
		p.rejected++
	}
	if x.Filled == 0 {
		return nil
	}
	p.filled++
	p.shares += int64(x.Filled)
	a := &p.accounts[x.Order.Account]
	if n := x.signed(); n > 0 {
		a.cash -= x.Notional
		a.shares[x.Order.Locate] += n
	} else {
		a.cash += x.Notional
		a.shares[x.Order.Locate] += n
	}
	if p.marks[x.Order.Locate] == 0 {
		p.marks[x.Order.Locate] = x.Notional / int64(x.Filled)
	}
	return nil
}

// OnTrade listens to market.trade.
func (p *Positions) OnTrade(_ context.Context, t Trade) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marks[t.Locate] = int64(t.Price)
	return nil
}

// Standing is how the accounts stand.
type Standing struct {
	Profit                   [Accounts]int64 // in 1/10,000 of a dollar: cash, and shares at the price of the last trade
	Held                     [Accounts]int64 // shares, long and short
	Orders, Filled, Rejected int64
	Shares                   int64
}

// Total is the profit of all.
func (s *Standing) Total() (sum int64) {
	for _, p := range s.Profit {
		sum += p
	}
	return sum
}

// Standing of all executions and trades so far.
func (p *Positions) Standing() Standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Standing{Orders: p.orders, Filled: p.filled, Rejected: p.rejected, Shares: p.shares}
	for i := range p.accounts {
		a := &p.accounts[i]
		s.Profit[i] = a.cash
		for locate, n := range a.shares {
			s.Profit[i] += n * p.marks[locate]
			s.Held[i] += max(n, -n)
		}
	}
	return s
}

// Dollars writes an amount in 1/10,000 of a dollar.
func Dollars(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return sign + "$" + english.Group(n/1_0000) + fmt.Sprintf(".%02d", n%1_0000/100)
}
