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

func severityStyle(s inspector.Severity) lipgloss.Style {
	switch s {
	case inspector.SeverityError:
		return bad
	case inspector.SeverityWarning:
		return warn
	}
	return faint
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
