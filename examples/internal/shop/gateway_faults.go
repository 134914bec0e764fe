package shop

import (
	"hash/fnv"
	"math/rand/v2"
	"net/http"
)

// fault is how a request to the gateway fails.
type fault int

const (
	none        fault = iota
	unavailable       // 503, nothing was done
	answerLost        // done, but the connection breaks before the answer
	hangs             // done, but there is no answer
)

// faults decide by seed, order and attempt, not by time or by what else goes
// on: the same seed gives the same orders the same trouble.
type faults struct {
	seed uint64
}

// of says how the given attempt at an order fails, the first being 1.
func (f faults) of(method, order string, attempt int) fault {
	if f.seed == 0 {
		return none
	}
	h := fnv.New64a()
	h.Write([]byte(method + " " + order))
	n := rand.New(rand.NewPCG(f.seed, h.Sum64())).IntN(1000)
	switch {
	case method == http.MethodPost && n < 5: // nobody at home, for this one, ever
		return unavailable
	case n < 15 && attempt <= 2, n < 50 && attempt == 1:
		return unavailable
	case n < 65 && attempt == 1:
		return answerLost
	case method == http.MethodPost && n < 68 && attempt == 1:
		return hangs
	}
	return none
}

// hopeless reports whether no attempt to charge the order will succeed.
func (f faults) hopeless(order string) bool {
	return f.of(http.MethodPost, order, 1_000) != none
}
