// Package sqlite keeps an event store in a SQLite file, in pure Go.
package sqlite
