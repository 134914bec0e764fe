//go:build race

package contract_test

// raceDetector: the race detector allocates, and what the code does without
// allocating it may not do then.
const raceDetector = true
