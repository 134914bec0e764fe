package trading

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"example.com/signals"
	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// Report is how a shard of the market stands.
type Report struct {
	Shard int
	Asked int64         // when, by the engine's clock
	Lag   time.Duration // from the question to the answer
	Feed
	Stocks []Row // those with the largest volume
}

// Row is a stock in a report.
type Row struct {
	Stock   string
	Top     book.Top
	Last    itch.Price
	Volume  uint64
	Trading bool
}

// rowsOfShard is how many stocks a report has at most.
const rowsOfShard = 12

func (sh *shard) report(asked, now int64) Report {
	byVolume := slices.Clone(sh.listed)
	slices.SortFunc(byVolume, func(a, b *listing) int { return cmp.Compare(b.volume, a.volume) })
	r := Report{Shard: sh.n, Asked: asked, Lag: time.Duration(now - asked), Feed: sh.Feed}
	for _, l := range byVolume[:min(len(byVolume), rowsOfShard)] {
		r.Stocks = append(r.Stocks, Row{l.stock.String(), l.book.Top(), l.last, l.volume, l.trading()})
	}
	return r
}

// Board shows what the shards report. However long that takes, it delays nobody:
// of the reports that come meanwhile it gets the newest.
type Board struct {
	show func(Report)

	mu   sync.Mutex
	last []Report // of each shard; guarded by mu
}

// StartBoard calls show with the reports of all shards in one, each time that
// the last of them has answered a question. Calls come one at a time.
func StartBoard(e *Engine, show func(Report)) *Board {
	b := &Board{show: show, last: make([]Report, len(e.Market.shards))}
	e.Signals.Report.Subscribe(b.OnReport, signals.Key("board"), signals.MaxLag(1, signals.KeepLatest))
	return b
}

// OnReport listens to report.
func (b *Board) OnReport(_ context.Context, r Report) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last[r.Shard] = r
	all := Report{Asked: r.Asked}
	for _, one := range b.last {
		if one.Asked != r.Asked {
			return nil // others have yet to answer, or their answers were dropped
		}
		all.Lag = max(all.Lag, one.Lag)
		all.add(one.Feed)
		all.Stocks = append(all.Stocks, one.Stocks...)
	}
	slices.SortFunc(all.Stocks, func(a, b Row) int { return cmp.Compare(b.Volume, a.Volume) })
	b.show(all)
	return nil
}
