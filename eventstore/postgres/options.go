package postgres

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Option configures Open.
type Option func(*config)

// config is what the options say. It does not change.
type config struct {
	schema        string
	poll          time.Duration
	commitTimeout time.Duration
	resolvable    time.Duration // for how long a lost commit is looked up; tests shorten it
	withoutFsync  bool
}

// Schema names the schema that holds the tables, "eventstore" without it. Each
// one is a store of its own.
func Schema(name string) Option {
	// The name is that of the channel for notifications, too: 63 bytes.
	if name == "" || len(name) > 63 || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		panic(fmt.Sprintf("postgres: Schema(%q): want a name of 1 to 63 bytes", name))
	}
	return func(c *config) { c.schema = name }
}

// Poll sets how often a DB looks for what a lost notification did not tell,
// while somebody follows or waits for a lease; every 3 s without it.
func Poll(every time.Duration) Option {
	if every <= 0 {
		panic(fmt.Sprintf("postgres: Poll(%v): want more than 0", every))
	}
	return func(c *config) { c.poll = every }
}

// CommitTimeout sets how long a commit may take before its connection is given
// up and its outcome looked up over another one; 30 s without it.
func CommitTimeout(d time.Duration) Option {
	if d <= 0 {
		panic(fmt.Sprintf("postgres: CommitTimeout(%v): want more than 0", d))
	}
	return func(c *config) { c.commitTimeout = d }
}

// WithoutFsync accepts a server with fsync = off, which loses acknowledged
// events, or all of them, when its machine crashes: for tests.
func WithoutFsync() Option { return func(c *config) { c.withoutFsync = true } }
