package main

import _ "github.com/creack/pty"
import _ "github.com/charmbracelet/x/vt"
