package main

import (
	"strconv"
	"strings"
)

// ascii says that the terminal, or whoever reads, may not know more than ASCII.
// main sets it before anything is written.
var ascii bool

// wantsASCII reads the locale as POSIX has it: the first of these variables that
// is set and not empty; without any, the locale is C.
func wantsASCII(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := env(name); v != "" {
			v = strings.ToLower(v)
			return !strings.Contains(v, "utf-8") && !strings.Contains(v, "utf8")
		}
	}
	return true
}

// inASCII are the stand-ins of our own signs, each as wide as the sign.
var inASCII = strings.NewReplacer("·", ".", "…", "~", "µ", "u", "×", "x", "▏", "|")

// shown writes a text of ours for whoever reads it. What comes from the program
// that is watched has been through clean.
func shown(s string) string {
	if !ascii {
		return s
	}
	return inASCII.Replace(s)
}

// printable reports whether a character may be shown as it is.
func printable(r rune) bool { return strconv.IsPrint(r) && (!ascii || r < 0x80) }
