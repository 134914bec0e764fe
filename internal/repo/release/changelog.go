package main

import (
	"fmt"
	"regexp"
	"strings"
)

const unreleased = "## [Unreleased]"

// released returns the changelog with a section for the version: as it is if
// there is one, or else with what is unreleased moved into it.
func released(changelog, version, date string) (string, error) {
	number := strings.TrimPrefix(version, "v")
	own := regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(number) + `\].*$`)
	if at := own.FindStringIndex(changelog); at != nil {
		if empty(changelog[at[1]:]) {
			return "", fmt.Errorf("the section %s of CHANGELOG.md is empty; say what changed for users", number)
		}
		return changelog, nil
	}
	before, after, found := strings.Cut("\n"+changelog, "\n"+unreleased+"\n")
	if !found {
		return "", fmt.Errorf("CHANGELOG.md has neither a section [%s] nor one [Unreleased]", number)
	}
	if empty(after) {
		return "", fmt.Errorf("CHANGELOG.md has no section [%s], and [Unreleased] is empty; say what changed for users", number)
	}
	text := fmt.Sprintf("%s\n%s\n\n## [%s] - %s\n%s", before, unreleased, number, date, after)
	return strings.TrimPrefix(text, "\n"), nil
}

// empty reports whether nothing but headings stands before the next section.
func empty(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "## ") {
			break
		}
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}
