// Package prometheus stands for the package of that name.
package prometheus

// Counter counts.
type Counter interface{ Inc() }

// Histogram collects.
type Histogram interface{ Observe(float64) }
