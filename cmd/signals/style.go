package main

import (
	"charm.land/lipgloss/v2"

	"example.com/signals/inspector"
)

// The 16 colours that terminals have, so that they fit what the user has set.
// Each says what words say too.
var (
	bold  = lipgloss.NewStyle().Bold(true)
	faint = lipgloss.NewStyle().Faint(true)
	bad   = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red)
	warn  = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	good  = lipgloss.NewStyle().Foreground(lipgloss.Green)
	plain = lipgloss.NewStyle()
)

// findingStyle is that of the state that the finding is about, so that a state
// has one colour wherever it is shown.
func findingStyle(f *inspector.Finding) lipgloss.Style {
	switch {
	case f.Severity == inspector.SeverityInfo:
		return faint
	case f.Status != "":
		return statusStyle(f.Status)
	case f.Severity == inspector.SeverityError: // of an inspector that does not say the state
		return bad
	}
	return warn
}

func statusStyle(s inspector.Status) lipgloss.Style {
	switch s {
	case inspector.StatusStuck, inspector.StatusFailing:
		return bad
	case inspector.StatusLagging, inspector.StatusDropping, inspector.StatusUnheard:
		return warn
	case inspector.StatusSilent:
		return faint
	}
	return plain
}
