package shop

import (
	"context"
	"maps"
	"sync"
	"time"

	"example.com/signals/examples/internal/english"
)

// HealthChecked is the outcome of one look at one service.
type HealthChecked struct {
	Service string
	At      time.Time
	Problem string // empty: healthy
}

// ServiceRegistry listens to health.checked and knows how every service is.
type ServiceRegistry struct {
	mu       sync.Mutex
	services map[string]HealthChecked // the last outcome of each; guarded by mu
}

func newServiceRegistry() *ServiceRegistry {
	return &ServiceRegistry{services: map[string]HealthChecked{}}
}

// Update listens to health.checked.
func (r *ServiceRegistry) Update(_ context.Context, h HealthChecked) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.services[h.Service] = h
	return nil
}

// Services returns the last outcome of each service.
func (r *ServiceRegistry) Services() map[string]HealthChecked {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.services)
}

// Alerts listens to health.checked and speaks up when a service fails and when
// it is well again, once each.
type Alerts struct {
	audit  func(context.Context, AuditEntry)
	notice func(format string, args ...any)

	// Used by OnHealthChecked only. It runs one call at a time, each before
	// the next, so this needs no lock.
	failing map[string]bool
}

func newAlerts(audit func(context.Context, AuditEntry), notice func(string, ...any)) *Alerts {
	return &Alerts{audit: audit, notice: notice, failing: map[string]bool{}}
}

// OnHealthChecked listens to health.checked.
func (a *Alerts) OnHealthChecked(ctx context.Context, h HealthChecked) error {
	failing := h.Problem != ""
	if failing == a.failing[h.Service] {
		return nil
	}
	a.failing[h.Service] = failing
	if failing {
		a.notice("alert: %s is not healthy: %s", h.Service, h.Problem)
		a.audit(ctx, AuditEntry{"service.failed", h.Service, h.Problem})
	} else {
		a.notice("alert: %s is healthy again", h.Service)
		a.audit(ctx, AuditEntry{"service.recovered", h.Service, ""})
	}
	return nil
}

// Checker looks at the departments: one that has work and has not finished any
// since the last look is stuck.
type Checker struct {
	shop *Shop
	done map[string]uint64 // deliveries at the last look, by department
}

// NewChecker looks at the departments of s.
func NewChecker(s *Shop) *Checker { return &Checker{shop: s, done: map[string]uint64{}} }

// Check emits one health.checked for each department and for the shelves.
func (c *Checker) Check(ctx context.Context) {
	emit := func(service, problem string) {
		c.shop.Signals.Health.Emit(ctx, HealthChecked{Service: service, At: time.Now(), Problem: problem})
	}
	for _, l := range c.shop.Signals.Accepted.Stats().Listeners {
		last, seen := c.done[l.Key]
		c.done[l.Key] = l.Deliveries
		problem := ""
		if seen && l.Lag > 0 && l.Deliveries == last {
			problem = english.Plural(l.Lag, "order") + " waiting, none finished since the last check"
		}
		emit(l.Key, problem)
	}
	problem := ""
	for _, p := range Catalog {
		if c.shop.Stock.Level(p.Code) <= 0 {
			problem = "no " + p.Name + " left"
		}
	}
	emit("shelves", problem)
}
