// Package migrating holds the examples of what behaves differently in
// docs/migrating.md.
package migrating
