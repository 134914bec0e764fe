package tally

import "time"

// Clock is the time since the process began, which takes less room than a
// time.Time and never goes back, except that it is another one inside a bubble
// of testing/synctest.
func Clock() time.Duration { return time.Since(started) }

var started = time.Now()
