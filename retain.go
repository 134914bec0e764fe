package signals

// Retain makes an async signal keep its last n accepted emissions (each shard of
// a sharded one), also while it has no listeners. A listener that is registered
// gets those first, or as many as there were, in order, and then goes on with
// what is emitted: without a gap and without a repetition, whoever emits
// meanwhile. They are that listener's work like any other: pending until it has
// finished them, and bounded by its MaxLag; Once takes the oldest. It gets the
// values of their contexts, and an EmitWait does not wait for it. A range over
// Events begins with them, a Tap does not, nor does a listener with FromNow. The
// payloads stay in memory until n others have come or the signal is closed.
func Retain(n int) Option {
	if n < 1 {
		return wrongOption("Retain(%d): want 1 or more", n)
	}
	return func(c *config) { c.retain, c.asyncOnly = n, "Retain" }
}

// FromNow makes a listener of an async signal with Retain begin with the next
// emission. Without Retain that is so anyway.
func FromNow() ListenerOption {
	return func(c *listenerConfig) { c.fromNow, c.asyncOnly = true, "FromNow" }
}
