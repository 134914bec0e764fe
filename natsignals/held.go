package natsignals

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// held is the messages in this process.
type held struct {
	mu   sync.Mutex
	msgs map[jetstream.Msg]struct{}
}

func (h *held) add(m jetstream.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.msgs == nil {
		h.msgs = make(map[jetstream.Msg]struct{})
	}
	h.msgs[m] = struct{}{}
}

func (h *held) remove(m jetstream.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.msgs, m)
}

func (h *held) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.msgs)
}

func (h *held) all() []jetstream.Msg {
	h.mu.Lock()
	defer h.mu.Unlock()
	msgs := make([]jetstream.Msg, 0, len(h.msgs))
	for m := range h.msgs {
		msgs = append(msgs, m)
	}
	return msgs
}

// keepAlive tells the server three times per AckWait that each message in this
// process is alive: those that a listener works on and those that wait for one.
func (n *Consumer) keepAlive() {
	tick := time.NewTicker(n.c.ackWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-n.done: // not earlier: after Close has begun, listeners still run
			return
		}
		for _, m := range n.held.all() {
			// An error is the connection's, which the next one may find back.
			_ = m.InProgress()
		}
	}
}
