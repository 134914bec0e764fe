package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"example.com/signals/eventstore"
)

// region model

// State is what a decision about a customer's money has to know.
type State struct {
	Answered int              // the number of the customer's last request that has an answer
	Cents    map[string]int64 // in the customer's own accounts
	Open     map[string]bool  // the accounts of all customers
}

// model is that of one customer. Its query has what the customer is in, with
// whomever, and which accounts there are: a transfer between two others is no
// conflict.
func model(customer string) eventstore.Model[State] {
	return eventstore.Model[State]{
		Query: eventstore.Match(
			eventstore.Item{Tags: []string{tag(customer)}},
			eventstore.Item{Types: []string{"account opened", "customer left"}},
		),
		Init: func() State { return State{Cents: map[string]int64{}, Open: map[string]bool{}} },
		Fold: func(s State, event any) State {
			switch e := event.(type) {
			case Opened:
				s.Open[e.Account] = true
			case Transferred:
				s.book(customer, e.From, -e.Cents)
				s.book(customer, e.To, e.Cents)
				s.answer(customer, e.By, e.Number)
			case Refused:
				s.answer(customer, e.By, e.Number)
			case Left:
				for account := range s.Open {
					if holder(account) == e.Customer {
						delete(s.Open, account)
					}
				}
			}
			return s
		},
		Snapshots: eventstore.SnapshotPolicy{Every: 200, Name: "customer " + customer},
	}
}

// endregion

func (s *State) book(customer, account string, cents int64) {
	if holder(account) == customer {
		s.Cents[account] += cents
	}
}

func (s *State) answer(customer, by string, number int) {
	if by == customer {
		s.Answered = number
	}
}

// total returns what the customer has in all accounts together.
func (s *State) total() (cents int64) {
	for _, c := range s.Cents {
		cents += c
	}
	return cents
}

// Request is what a customer asks for. A customer's requests are numbered, from
// 1, and asked for one after the other.
type Request struct {
	By       string
	Number   int
	From, To string
	Cents    int64
}

// ID is the same for the same request: of the event that answers it, too.
func (r Request) ID() string { return fmt.Sprintf("request-%s-%d", r.By, r.Number) }

// region transfer

// refusal returns why the request cannot be granted, or "". Either account may
// be overdrawn as long as both together are not: no stream of one of them could
// guard that.
func (s *State) refusal(r Request) string {
	switch {
	case holder(r.From) != r.By || !s.Open[r.From]:
		return "not an account of yours"
	case !s.Open[r.To]:
		return "there is no such account"
	case r.Cents <= 0:
		return "no amount"
	case holder(r.To) != r.By && s.total() < r.Cents:
		return "your accounts together have not enough"
	}
	return ""
}

// Transfer answers a request: with the event Transferred or Refused, once,
// however often it is asked.
func Transfer(ctx context.Context, store *eventstore.Store, r Request) error {
	_, err := eventstore.Decide(ctx, store, model(r.By), func(s State) ([]any, error) {
		switch {
		case r.Number <= s.Answered:
			return nil, nil // by an earlier run, or another process
		case r.Number != s.Answered+1:
			return nil, fmt.Errorf("ledger: request %d of customer %s, and %d has no answer yet", r.Number, r.By, s.Answered+1)
		}
		answer := eventstore.Draft{ID: r.ID(), Stream: "account-" + r.From}
		if reason := s.refusal(r); reason != "" {
			answer.Value = Refused{r.By, r.Number, reason}
		} else {
			answer.Value = Transferred(r)
		}
		return []any{answer}, nil
	})
	return err
}

// endregion

// join makes a customer with two accounts and some money, if there is none of
// that number. It is the older program that does so, in version 1.
func join(ctx context.Context, old *eventstore.Store, customer, name string) error {
	known := eventstore.Model[bool]{
		Query: eventstore.Match(eventstore.Item{Types: []string{"account opened"}, Tags: []string{tag(customer)}}),
		Fold:  func(bool, any) bool { return true },
	}
	_, err := eventstore.Decide(ctx, old, known, func(known bool) ([]any, error) {
		if known {
			return nil, nil
		}
		checking, savings := customer+"-checking", customer+"-savings"
		return []any{
			eventstore.Draft{Stream: "customer-" + customer, Value: Joined{customer, name}},
			eventstore.Draft{Stream: "account-" + checking, Value: Opened{checking}},
			eventstore.Draft{Stream: "account-" + savings, Value: Opened{savings}},
			eventstore.Draft{Stream: "account-" + bank, Value: transferredV1{bank, checking, 1000}},
		}, nil
	})
	return err
}

// region leave

// Leave pays a customer out, closes the accounts and forgets who it was: one
// append, and then the key. Called again, it does what is left to do.
func Leave(ctx context.Context, store *eventstore.Store, customer string) error {
	_, err := eventstore.Decide(ctx, store, model(customer), func(s State) ([]any, error) {
		if !s.Open[customer+"-checking"] {
			return nil, nil
		}
		var events []any
		pay := func(from, to string, cents int64) {
			events = append(events, eventstore.Draft{Stream: "account-" + from, Value: Transferred{From: from, To: to, Cents: cents}})
		}
		accounts := []string{customer + "-checking", customer + "-savings"}
		// What is overdrawn comes first, so that the rule holds after each event.
		slices.SortFunc(accounts, func(a, b string) int { return cmp.Compare(s.Cents[a], s.Cents[b]) })
		for _, account := range accounts {
			switch cents := s.Cents[account]; {
			case cents < 0:
				pay(bank, account, -cents)
			case cents > 0:
				pay(account, bank, cents)
			}
		}
		return append(events, eventstore.Draft{Stream: "customer-" + customer, Value: Left{customer}}), nil
	})
	if err != nil {
		return err
	}
	return store.Forget(ctx, customer)
}

// endregion
