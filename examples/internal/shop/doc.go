// Package shop is a gift shop that runs on signals: the example that the
// guides quote.
//
// An order goes through a chain, the sync signal order.placed: each step may
// refuse, and what earlier steps did is undone. Only when the whole chain has
// succeeded does the shop tell the rest of the house, on the async signal
// order.accepted. Nobody there can refuse anymore, nobody delays the customer,
// and nobody delays anybody else.
//
//	order.placed (sync)      validate, reserve stock, take payment, record
//	order.accepted (async)   inventory, shipping, analytics, audit
//	order.cancelling (sync)  claim the order, pay back, restock, record
//	order.cancelled (async)  inventory, shipping, analytics, audit
//	user.registered          analytics
//	health.checked           service registry, alert on failure
//	metrics                  gauges
//	audit                    journal
//	payment.dead             calls to the gateway that were given up: settle
//	payment.circuit          whether the gateway is called at all
//	errors                   failures of all of these
//
// Where to look: signals.go makes the signals and registers the listeners,
// checkout.go and cancel.go are the two chains, shop.go runs them;
// inventory.go, shipping.go, analytics.go and audit.go are the departments.
// gateway_client.go asks for payments over HTTP, through a retry, a circuit
// breaker and a dead letter; gateway.go is who answers, and at times does not.
// live.go is the shop that is open for business, http.go its API; replay.go
// reads the books of a real one.
package shop
