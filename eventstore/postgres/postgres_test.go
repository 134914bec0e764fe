package postgres

import (
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/storetest"
)

func TestPostgresKeepsTheContract(t *testing.T) {
	s := sharedServer(t)
	storetest.Run(t, func(t *testing.T) eventstore.Backend { return open(t, newPool(t, s), newSchema()) })
}
