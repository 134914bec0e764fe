// Package storetest holds a backend of the eventstore package to its contract.
//
//	func TestBackend(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) eventstore.Backend {
//			return open(t) // closed by t.Cleanup
//		})
//	}
//
// It tests through a Store what users rely on, and by itself what the
// documentation of [eventstore.Backend] says. What a backend promises beyond a
// process (that it survives a crash, that two processes can share it) its own
// tests have to show.
package storetest

import (
	"testing"

	"example.com/signals/eventstore"
)

// Run runs the suite. open returns a new, empty backend, independent of the
// others, and arranges for it to be closed when t ends.
func Run(t *testing.T, open func(t *testing.T) eventstore.Backend) {
	t.Helper()
	if open == nil {
		t.Fatal("storetest: Run: open is nil")
	}
	for _, part := range []struct {
		name  string
		cases []testCase
	}{
		{"Append", appendCases},
		{"Conditions", conditionCases},
		{"Idempotency", idempotencyCases},
		{"Read", readCases},
		{"Follow", followCases},
		{"Backend", backendCases},
		{"Concurrent", concurrentCases},
		{"Model", modelCases},
		{"Checkpoints", checkpointCases},
		{"History", historyCases},
		{"Leases", leaseCases},
		{"Listen", listenCases},
		{"Failures", failureCases},
		{"TakeOver", takeoverCases},
		{"Snapshots", snapshotCases},
		{"Keys", keyCases},
		{"MovedKeys", movedKeyCases},
		{"Import", importCases},
		{"Check", checkCases},
		{"Checksums", checksumCases},
		{"Export", exportCases},
		{"Typed", typedCases},
	} {
		t.Run(part.name, func(t *testing.T) {
			for _, c := range part.cases {
				t.Run(c.name, func(t *testing.T) { c.run(newHarness(t, open)) })
			}
		})
	}
}

// testCase is one test with a new backend of its own.
type testCase struct {
	name string
	run  func(h *harness)
}
