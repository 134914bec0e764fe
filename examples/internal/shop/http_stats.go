package shop

import (
	"net/http"
	"time"
)

// What GET /stats returns.
type (
	statsReply struct {
		UptimeSeconds float64            `json:"uptime_seconds"`
		Orders        ordersReply        `json:"orders"`
		Revenue       amount             `json:"revenue"`
		Payments      PaymentCounts      `json:"payments"`
		Services      map[string]string  `json:"services"` // ok, or the problem
		Metrics       map[string]float64 `json:"metrics"`
		Chain         latencyReply       `json:"sync_chain"`
		Handled       latencyReply       `json:"emit_to_handled"`
		Signals       []signalReply      `json:"signals"`
	}
	ordersReply struct {
		Accepted  int64 `json:"accepted"`
		Generated int64 `json:"generated"` // of those accepted
		Clients   int64 `json:"clients"`   // of those accepted
		Refused   int64 `json:"refused"`
		Cancelled int64 `json:"cancelled"`
	}
	latencyReply struct {
		Count int64         `json:"count"`
		P50   time.Duration `json:"p50_ns"`
		P99   time.Duration `json:"p99_ns"`
		P999  time.Duration `json:"p999_ns"`
	}
	signalReply struct {
		Name       string          `json:"name"`
		Emissions  uint64          `json:"emissions"`
		Deliveries uint64          `json:"deliveries"`
		Failures   uint64          `json:"failures"`
		Vetoes     uint64          `json:"vetoes"` // answers to customers, no failures
		Drops      uint64          `json:"drops"`
		Refusals   uint64          `json:"refusals"`
		Pending    int             `json:"pending"`
		Listeners  []listenerReply `json:"listeners"`
	}
	listenerReply struct {
		Key        string `json:"key"`
		Site       string `json:"site"`
		Deliveries uint64 `json:"deliveries"`
		Failures   uint64 `json:"failures"`
		Vetoes     uint64 `json:"vetoes"`
		Lag        int    `json:"lag"`
	}
)

func (a *API) getStats(w http.ResponseWriter, _ *http.Request) {
	s := a.shop
	out := statsReply{
		UptimeSeconds: time.Since(a.opened).Seconds(),
		Orders: ordersReply{
			Accepted: s.Orders(), Generated: s.Accepted(FromGenerator), Clients: s.Accepted(FromAPI),
			Refused: s.Refused(), Cancelled: s.Cancellations(),
		},
		Revenue:  amount{s.Books.Totals().Revenue},
		Payments: s.PaymentCounts(),
		Services: map[string]string{},
		Metrics:  s.Gauges.Values(),
		Chain:    newLatencyReply(s.Chain),
		Handled:  newLatencyReply(s.Handled),
	}
	for name, h := range s.Services.Services() {
		out.Services[name] = "ok"
		if h.Problem != "" {
			out.Services[name] = h.Problem
		}
	}
	for _, st := range s.Signals.Stats() {
		sr := signalReply{
			Name: st.Name, Emissions: st.Emissions, Deliveries: st.Deliveries, Failures: st.Failures, Vetoes: st.Vetoes,
			Drops: st.Drops, Refusals: st.Refusals, Pending: st.Pending,
		}
		for _, l := range st.Listeners {
			sr.Listeners = append(sr.Listeners, listenerReply{l.Key, l.Site, l.Deliveries, l.Failures, l.Vetoes, l.Lag})
		}
		out.Signals = append(out.Signals, sr)
	}
	reply(w, http.StatusOK, out)
}

func newLatencyReply(l *Latency) latencyReply {
	p := l.Percentiles()
	return latencyReply{p.Count, p.P50, p.P99, p.P999}
}
