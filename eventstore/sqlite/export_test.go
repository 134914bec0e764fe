package sqlite

// SynchronousNormal opens a store that loses what it acknowledged: the control
// of the tests of durability.
func SynchronousNormal() Option { return func(c *config) { c.synchronous = "normal" } }
