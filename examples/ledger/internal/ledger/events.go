package ledger

import (
	"strings"

	"example.com/signals/eventstore"
)

// region events

// Joined says who a customer is. It is encrypted with a key of the customer's.
type Joined struct{ Customer, Name string }

// Opened says that a customer has an account, "3-checking" of customer 3.
type Opened struct{ Account string }

// Transferred moves money from one account to another: one event with two
// sides, so that nothing can be booked by half. It answers a customer's request.
type Transferred struct {
	By       string // the customer who asked for it; "" if it was the bank
	Number   int    // of the request among the customer's, from 1
	From, To string
	Cents    int64
}

// transferredV1 is what an older program wrote: the bank's own transfers, in
// whole euros.
type transferredV1 struct {
	From, To string
	Euros    int64
}

// Refused answers a request that was not granted.
type Refused struct {
	By     string
	Number int
	Reason string
}

// Left says that a customer is a customer no more.
type Left struct{ Customer string }

// endregion

// region types

// today returns the types that this program writes and reads.
func today(keys eventstore.KeyStore) *eventstore.Registry {
	types := shared(keys)
	eventstore.Register[Transferred](types, "transferred",
		eventstore.Version(2),
		eventstore.UpcastFrom(1, func(old transferredV1) ([]any, error) {
			return []any{Transferred{From: old.From, To: old.To, Cents: 100 * old.Euros}}, nil
		}),
		eventstore.TagsOf(func(e Transferred) []string { return []string{tag(e.From), tag(e.To)} }))
	eventstore.Register[Refused](types, "refused",
		eventstore.TagsOf(func(e Refused) []string { return []string{tag(e.By)} }))
	eventstore.Register[Left](types, "customer left",
		eventstore.TagsOf(func(e Left) []string { return []string{tag(e.Customer)} }))
	return types
}

// formerly returns those of the older program.
func formerly(keys eventstore.KeyStore) *eventstore.Registry {
	types := shared(keys)
	eventstore.Register[transferredV1](types, "transferred",
		eventstore.TagsOf(func(e transferredV1) []string { return []string{tag(e.From), tag(e.To)} }))
	return types
}

// shared returns those that have not changed.
func shared(keys eventstore.KeyStore) *eventstore.Registry {
	types := eventstore.NewRegistry()
	eventstore.Register[Joined](types, "customer joined",
		eventstore.WithCodec(eventstore.Encrypted(eventstore.JSON(), keys, func(v any) string { return v.(Joined).Customer })),
		eventstore.TagsOf(func(e Joined) []string { return []string{tag(e.Customer)} }))
	eventstore.Register[Opened](types, "account opened",
		eventstore.TagsOf(func(e Opened) []string { return []string{tag(e.Account)} }))
	return types
}

// endregion

// bank is the account that all money comes from. It has no limit.
const bank = "bank"

// holder returns the customer whose account it is.
func holder(account string) string {
	customer, _, _ := strings.Cut(account, "-")
	return customer
}

// tag is in every event about the customer, or the customer's account.
func tag(account string) string { return "customer:" + holder(account) }
