module example.com/signals/eventstore/storetest/heavy

go 1.26.0

require (
	example.com/signals v0.0.0
	github.com/anishathalye/porcupine v1.3.1
	pgregory.net/rapid v1.3.0
)

replace example.com/signals => ../../../
