// Command signals looks at the signals of a running program.
package main

import (
	_ "charm.land/bubbletea/v2"
	_ "charm.land/lipgloss/v2"
	_ "example.com/signals/inspector"
	_ "github.com/charmbracelet/x/ansi"
	_ "github.com/charmbracelet/x/term"
	_ "github.com/spf13/cobra"
)

func main() {}
