package heavy

import (
	"context"
	"testing"

	"example.com/signals/eventstore"
	"github.com/anishathalye/porcupine"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	Run(t, func(*testing.T) eventstore.Backend { return eventstore.Memory() })
}

// What the checks are for, they must find.
func TestModelRefusesWrongAnswers(t *testing.T) {
	s := eventstore.New(eventstore.Memory())
	batch := []eventstore.Event{{ID: "a", Type: "A", Schema: 1, Stream: "s0"}}
	first := question{batch: batch, conds: []eventstore.Condition{eventstore.ExpectVersion("s0", 0)}}
	second := question{batch: []eventstore.Event{{ID: "b", Type: "A", Schema: 1, Stream: "s0"}}, conds: first.conds}
	a := first.run(context.Background(), s)
	b := second.run(context.Background(), s)
	read := question{query: eventstore.OfStream("s0")}
	r := read.run(context.Background(), s)
	for _, c := range []struct {
		name string
		ops  []porcupine.Operation
		want bool
	}{
		{"as it was", []porcupine.Operation{
			{Input: first, Output: a, Call: 0, Return: 1}, {Input: second, Output: b, Call: 2, Return: 3}, {Input: read, Output: r, Call: 4, Return: 5},
		}, true},
		{"the conflict came first", []porcupine.Operation{
			{Input: second, Output: b, Call: 0, Return: 1}, {Input: first, Output: a, Call: 2, Return: 3},
		}, false},
		{"both won", []porcupine.Operation{
			{Input: first, Output: a, Call: 0, Return: 5}, {Input: second, Output: answer{outcome: stored, events: a.events}, Call: 0, Return: 5},
		}, false},
		{"a read that saw the future", []porcupine.Operation{
			{Input: read, Output: r, Call: 0, Return: 1}, {Input: first, Output: a, Call: 2, Return: 3},
		}, false},
		{"a read that missed what had returned", []porcupine.Operation{
			{Input: first, Output: a, Call: 0, Return: 1}, {Input: read, Output: answer{outcome: "read"}, Call: 2, Return: 3},
		}, false},
	} {
		if got := porcupine.CheckOperations(model, c.ops); got != c.want {
			t.Errorf("%s: linearizable %v; want %v", c.name, got, c.want)
		}
	}
}
