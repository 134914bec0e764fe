package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

// gatewayClient is the Payment that asks a Gateway over HTTP, or one like it.
// What goes wrong on the way is repeated, within bounds; an answer is an
// answer, and a declined card is not asked about again.
//
// A request without an answer may have been carried out. So a charge that is
// given up is not simply forgotten: it becomes a dead letter, and the listener
// settle calls the charge off.
type gatewayClient struct {
	url   string
	http  *http.Client
	guard func(context.Context, *gatewayCall) error
	again func(context.Context, *gatewayCall) error // for settle: patient, and past the circuit

	repeated atomic.Int64 // attempts after the first
	opened   atomic.Int64 // times that the circuit opened
	settled  atomic.Int64 // dead letters seen to
}

// gatewayCall is one call, and what came of it. Dead letters carry it.
type gatewayCall struct {
	charge   Charge
	callOff  bool   // give back what was charged
	receipt  string // set if it was charged
	declined string // the reason, if it was not
}

// String leaves the card out: whoever looks at payloads need not know it.
func (c *gatewayCall) String() string {
	if c.callOff {
		return "call off the charge for order " + c.charge.Order
	}
	return fmt.Sprintf("charge %s for order %s", FormatMoney(c.charge.Amount, 2), c.charge.Order)
}

// letter is a call that was given up.
type letter = resilience.Letter[*gatewayCall]

// patience is how long a client waits for a gateway.
type patience struct {
	answer  time.Duration // for an answer
	wait    time.Duration // before the second attempt, then twice as long each
	openFor time.Duration // for a gateway that has failed often in a row
}

var usualPatience = patience{answer: 500 * time.Millisecond, wait: 20 * time.Millisecond, openFor: 200 * time.Millisecond}

const (
	chargeAttempts = 8
	settleAttempts = 20
)

func newGatewayClient(base string, p patience, dead signals.Signal[letter], changes signals.Signal[resilience.StateChange]) *gatewayClient {
	c := &gatewayClient{url: base, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	circuit := resilience.NewCircuit(
		resilience.CircuitName("gateway"),
		resilience.OpenFor(p.openFor),
		resilience.StateChangesTo(changes))
	longest := max(10*p.wait, p.openFor) // a circuit that is open for longer ends the attempts
	count := resilience.OnRetry(func(context.Context, int, error, time.Duration) { c.repeated.Add(1) })

	c.guard = resilience.DeadLetter(
		resilience.Retry(
			resilience.Breaker(
				resilience.Timeout(c.send, p.answer),
				circuit),
			resilience.MaxAttempts(chargeAttempts), resilience.Backoff(p.wait, longest), count),
		dead)
	c.again = resilience.Retry(resilience.Timeout(c.send, p.answer),
		resilience.MaxAttempts(settleAttempts), resilience.Backoff(p.wait, 5*longest), count)
	return c
}

// Charge implements Payment.
func (c *gatewayClient) Charge(ctx context.Context, what Charge) (string, error) {
	call := &gatewayCall{charge: what}
	if err := c.guard(ctx, call); err != nil {
		return "", fmt.Errorf("%w: %w", ErrPaymentUnavailable, err)
	}
	if call.declined != "" {
		return "", &DeclinedError{Amount: what.Amount, Reason: call.declined}
	}
	return call.receipt, nil
}

// Refund implements Payment. What the gateway does not confirm now is owed, and
// settle sees to it; so there is no error.
func (c *gatewayClient) Refund(ctx context.Context, r Refund) error {
	_ = c.guard(ctx, &gatewayCall{charge: Charge{Order: r.Order, Amount: r.Amount}, callOff: true})
	return nil
}

// settle listens to payment.dead: nobody is charged for an order that does not
// exist.
func (c *gatewayClient) settle(ctx context.Context, l letter) error {
	if err := c.again(ctx, &gatewayCall{charge: l.Payload.charge, callOff: true}); err != nil {
		return err
	}
	c.settled.Add(1)
	return nil
}

// gatewayError is an answer that should not be.
type gatewayError struct {
	status int
	text   string
}

func (e *gatewayError) Error() string { return fmt.Sprintf("gateway: %d %s", e.status, e.text) }

// send makes one request.
func (c *gatewayClient) send(ctx context.Context, call *gatewayCall) error {
	method, path, body := http.MethodPost, "/charges", []byte(nil)
	if call.callOff {
		method, path = http.MethodDelete, "/charges/"+url.PathEscape(call.charge.Order)
	} else {
		var err error
		if body, err = json.Marshal(chargeRequest(call.charge)); err != nil {
			return resilience.Permanent(err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return resilience.Permanent(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err // nobody there, no answer in time, or a broken connection
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return err
	}
	var answer chargeReply
	switch {
	case resp.StatusCode == http.StatusNoContent && call.callOff:
		return nil
	case resp.StatusCode == http.StatusCreated && json.Unmarshal(text, &answer) == nil && answer.Receipt != "":
		call.receipt = answer.Receipt
		return nil
	case resp.StatusCode == http.StatusPaymentRequired && json.Unmarshal(text, &answer) == nil:
		call.declined = answer.Reason
		return nil
	}
	failed := &gatewayError{resp.StatusCode, string(bytes.TrimSpace(text))}
	if resp.StatusCode >= 500 {
		return failed
	}
	return resilience.Permanent(failed) // asking again gives the same answer
}

// close lets go of idle connections.
func (c *gatewayClient) close() { c.http.CloseIdleConnections() }
