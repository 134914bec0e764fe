package main

import (
	"fmt"

	"golang.org/x/mod/semver"
)

// checkVersion refuses what is no version of a Go module: with a v, all three
// numbers, and without build metadata.
func checkVersion(text string) error {
	if text == "" || semver.Canonical(text) != text {
		return fmt.Errorf("%q is no version; it is written like v0.1.0 or v0.2.0-rc.1", text)
	}
	return nil
}

// mayBreak reports whether v, after last, may have an API that is incompatible
// with it: before v1 with a new minor version, then with a new major one. A
// pre-release promises nothing.
func mayBreak(v, last string) bool {
	return semver.Prerelease(last) != "" || semver.Major(v) != semver.Major(last) ||
		semver.Major(v) == "v0" && semver.MajorMinor(v) != semver.MajorMinor(last)
}
