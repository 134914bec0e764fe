package main

// helpLines are what ? shows.
var helpLines = []string{
	bold.Render("Keys"), "",
	"  q, Ctrl-C        quit",
	"  space            pause",
	"  /                filter by words in names; esc clears it",
	"  l                listeners: those in trouble, all, none",
	"  up, down, k, j   scroll; also page up and down, home, end, g, G", "",
	"  s status   n name       r rate    e emissions",
	"  f failed   v vetoes     d drops   w waits",
	"  t p99      the same key again turns the order around", "",
	"  EMIT/s, CALL/s, FAIL/s: emissions, calls of listeners and failures a second",
	"  FAILED, DROPS: since the signal was made; refused emissions are drops too",
	"  VETOES: expected noes, which are no failures",
	"  WAITS: emissions that wait for a listener, or run",
	"  P99: 99 of 100 calls of the slowest listener take less", "",
	faint.Render("any key goes back"),
}
