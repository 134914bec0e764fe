package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// clean writes a text so that a terminal shows it on one line and nothing
// more: what is not printable, such as ESC or what turns the direction of text
// around, becomes an escape sequence of Go.
func clean(s string) string { return escape(s, printable) }

// cleanLines is clean for texts of several lines.
func cleanLines(s string) string {
	return escape(s, func(r rune) bool { return r == '\n' || r == '\t' || printable(r) })
}

// cleanFile is cleanLines for what is a file, whose characters do not depend on
// who looks.
func cleanFile(s string) string {
	return escape(s, func(r rune) bool { return r == '\n' || r == '\t' || strconv.IsPrint(r) })
}

func escape(s string, keep func(rune) bool) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case keep(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		i += n
	}
	return b.String()
}

// cleanJSON indents JSON and escapes in its way what clean escapes, so that it
// still says the same.
func cleanJSON(data []byte) ([]byte, error) {
	var indented bytes.Buffer
	if err := json.Indent(&indented, data, "", "  "); err != nil {
		return nil, err
	}
	return escapeJSON(indented.Bytes()), nil
}

// cleanJSONLine is cleanJSON in one line.
func cleanJSONLine(data []byte) ([]byte, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return nil, err
	}
	return escapeJSON(compact.Bytes()), nil
}

func escapeJSON(data []byte) []byte {
	var b bytes.Buffer
	for s := bytes.TrimSpace(data); len(s) > 0; {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\ufffd`)
		case r == '\n' || strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[n:]
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// cleanAll cleans every string within v. Lists of strings are texts of several
// lines, such as stacks.
func cleanAll(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			cleanAll(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			if e := v.Index(i); e.Kind() == reflect.String {
				e.SetString(cleanLines(e.String()))
			} else {
				cleanAll(e)
			}
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanSet() {
				cleanAll(f)
			}
		}
	case reflect.String:
		v.SetString(clean(v.String()))
	}
}
