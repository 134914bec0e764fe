// Package bench runs the same scenarios against signals and its peers: other
// Go libraries that hand an event from one part of a process to others. Each
// peer has a file, which says how it is set up and what about it is not equal;
// load.go has the scenarios. The program in cmd/report writes docs/benchmarks.md.
//
// The module is not in the workspace, as its peers bring much with them:
//
//	GOWORK=off go test -bench . ./...
package bench
