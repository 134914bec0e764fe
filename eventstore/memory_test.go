package eventstore_test

import (
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/storetest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) eventstore.Backend { return eventstore.Memory() })
}
