// Package heavy holds a backend of the eventstore package to its contract with
// tools that the core does without: a state machine that rapid drives and
// shrinks, and porcupine's check that concurrent calls are linearizable. It is
// for tests, beside storetest.
package heavy

import (
	"testing"

	"example.com/signals/eventstore"
)

// Run runs the suite. open returns a new, empty backend, and arranges for it to
// be closed when t ends. How often the state machine begins, and how many steps
// it takes, are flags of rapid: -rapid.checks, -rapid.steps.
func Run(t *testing.T, open func(t *testing.T) eventstore.Backend) {
	t.Helper()
	t.Run("StateMachine", func(t *testing.T) { stateMachine(t, open) })
	t.Run("Linearizable", func(t *testing.T) { Linearizable(t, open(t)) })
}
