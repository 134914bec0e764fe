package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// version is a semantic version as Go modules have it: with a v, all three
// numbers, and without build metadata.
type version struct {
	major, minor, patch int
	pre                 string
}

var versionText = regexp.MustCompile(`^v(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$`)

func parseVersion(text string) (version, error) {
	m := versionText.FindStringSubmatch(text)
	if m == nil {
		return version{}, fmt.Errorf("%q is no version; it is written like v0.1.0 or v0.2.0-rc.1", text)
	}
	var v version
	for i, n := range []*int{&v.major, &v.minor, &v.patch} {
		*n, _ = strconv.Atoi(m[i+1]) // at most nine digits
	}
	v.pre = m[4]
	for part := range strings.SplitSeq(v.pre, ".") {
		if len(part) > 1 && part[0] == '0' && strings.Trim(part, "0123456789") == "" {
			return version{}, fmt.Errorf("%q is no version: the number %s begins with 0", text, part)
		}
	}
	return v, nil
}

// compare orders versions by section 11 of Semantic Versioning 2.0.0.
func (v version) compare(w version) int {
	numbers := cmp.Or(cmp.Compare(v.major, w.major), cmp.Compare(v.minor, w.minor), cmp.Compare(v.patch, w.patch))
	if numbers != 0 || v.pre == w.pre {
		return numbers
	}
	if v.pre == "" || w.pre == "" {
		return cmp.Compare(len(w.pre), len(v.pre)) // the one without comes last
	}
	a, b := strings.Split(v.pre, "."), strings.Split(w.pre, ".")
	for i := range min(len(a), len(b)) {
		n, errN := strconv.ParseUint(a[i], 10, 64)
		m, errM := strconv.ParseUint(b[i], 10, 64)
		var c int
		switch {
		case errN == nil && errM == nil:
			c = cmp.Compare(n, m)
		case errN == nil:
			c = -1
		case errM == nil:
			c = 1
		default:
			c = strings.Compare(a[i], b[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// mayBreak reports whether v, after last, may have an API that is incompatible
// with it: before v1 with a new minor version, then with a new major one. A
// pre-release promises nothing.
func (v version) mayBreak(last version) bool {
	return last.pre != "" || v.major != last.major || v.major == 0 && v.minor != last.minor
}
