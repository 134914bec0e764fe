// Package browser tests the inspector in a real browser, with the shop behind
// it, and mounted in the routers that docs/inspector.md has recipes for. It is a
// module of its own so that running the shop needs nothing of what drives a
// browser, nor those routers.
//
// The tests in a browser need chromium and are skipped without. This makes the picture in
// the README anew:
//
//	go test -run Screenshot -update ./examples/browser
package browser
