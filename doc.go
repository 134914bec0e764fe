// Package signals provides typed, in-process events.
package signals
