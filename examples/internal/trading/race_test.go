//go:build race

package trading

func init() { raceEnabled = true }
