//go:build race

package sqlite

func init() { slowed = true }
