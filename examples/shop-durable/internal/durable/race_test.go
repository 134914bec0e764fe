//go:build race

package durable

func init() { raceEnabled = true }
