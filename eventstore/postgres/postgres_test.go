package postgres

import (
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/storetest"
	"example.com/signals/eventstore/storetest/heavy"
)

func TestPostgresKeepsTheContract(t *testing.T) {
	s := sharedServer(t)
	storetest.Run(t, func(t *testing.T) eventstore.Backend { return open(t, newPool(t, s), newSchema()) })
}

func TestPostgresKeepsTheContractHeavily(t *testing.T) {
	s := sharedServer(t)
	heavy.Run(t, func(t *testing.T) eventstore.Backend { return open(t, newPool(t, s), newSchema()) })
}

// Each DB is what another process would have.
func TestSeveralProcessesAreLinearizable(t *testing.T) {
	s := sharedServer(t)
	schema := newSchema()
	var backends []eventstore.Backend
	for range 4 {
		backends = append(backends, open(t, newPool(t, s), schema))
	}
	heavy.Linearizable(t, backends...)
}
