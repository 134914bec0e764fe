package signalstest

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxLines bounds a list of payloads in a message.
	maxLines = 40
	// diffContext is how many equal payloads are shown around a difference.
	diffContext = 3
	// maxTable bounds the work of finding the smallest difference; beyond it
	// everything between the first and the last difference counts as different.
	maxTable = 1 << 20
)

// A line of a difference: ' ' came as wanted, '-' wanted, '+' came.
type line[T any] struct {
	mark  byte
	index int // in what came; of a '-', in what was wanted
	value T
}

// diffOrdered returns "" if got and want are deeply equal, element by element.
func diffOrdered[T any](got, want []T) string {
	lines := compare(got, want)
	if !slices.ContainsFunc(lines, different[T]) {
		return ""
	}
	return fmt.Sprintf("%s came, not the %d wanted in this order (- wanted, + came):%s",
		count(len(got)), len(want), render(abridge(lines)))
}

// diffUnordered returns "" if got and want hold deeply equal elements, each as
// many times.
func diffUnordered[T any](got, want []T) string {
	missing, extra := unmatched(got, want)
	if len(missing)+len(extra) == 0 {
		return ""
	}
	return fmt.Sprintf("%s came, not the %d wanted in any order (- missing, + not wanted):%s",
		count(len(got)), len(want), render(append(missing, extra...)))
}

// compare aligns got with want along a longest common subsequence.
func compare[T any](got, want []T) []line[T] {
	var head, tail []line[T]
	start := 0
	for start < min(len(got), len(want)) && equal(got[start], want[start]) {
		head = append(head, line[T]{' ', start, got[start]})
		start++
	}
	g, w := len(got), len(want)
	for g > start && w > start && equal(got[g-1], want[w-1]) {
		g--
		w--
	}
	for i := g; i < len(got); i++ {
		tail = append(tail, line[T]{' ', i, got[i]})
	}

	// common[i][j] is how much got[start+i:g] and want[start+j:w] share.
	rows, cols := g-start, w-start
	if rows*cols > maxTable {
		rows, cols = 0, 0
	}
	common := make([][]int, rows+1)
	common[rows] = make([]int, cols+1)
	for i := rows - 1; i >= 0; i-- {
		common[i] = make([]int, cols+1)
		for j := cols - 1; j >= 0; j-- {
			if equal(got[start+i], want[start+j]) {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	lines := head
	i, j := 0, 0
	for i < rows && j < cols {
		switch {
		case equal(got[start+i], want[start+j]):
			lines = append(lines, line[T]{' ', start + i, got[start+i]})
			i++
			j++
		case common[i][j+1] >= common[i+1][j]:
			lines = append(lines, line[T]{'-', start + j, want[start+j]})
			j++
		default:
			lines = append(lines, line[T]{'+', start + i, got[start+i]})
			i++
		}
	}
	for k := start + j; k < w; k++ {
		lines = append(lines, line[T]{'-', k, want[k]})
	}
	for k := start + i; k < g; k++ {
		lines = append(lines, line[T]{'+', k, got[k]})
	}
	return append(lines, tail...)
}

// unmatched pairs equal elements and returns what is left of want and of got.
func unmatched[T any](got, want []T) (missing, extra []line[T]) {
	// Payloads for which == means the same as DeepEqual are counted in a map,
	// so that tests can compare a hundred thousand of them.
	if usesEquality(reflect.TypeFor[T]()) {
		left := make(map[any]int)
		for _, v := range got {
			left[v]++
		}
		for j, v := range want {
			if left[v] > 0 {
				left[v]--
			} else {
				missing = append(missing, line[T]{'-', j, v})
			}
		}
		for i, v := range slices.Backward(got) { // the last ones of equals are the extra ones
			if left[v] > 0 {
				left[v]--
				extra = append(extra, line[T]{'+', i, v})
			}
		}
		slices.Reverse(extra)
		return missing, extra
	}

	paired := make([]bool, len(got))
	for j, v := range want {
		i := 0
		for i < len(got) && (paired[i] || !equal(got[i], v)) {
			i++
		}
		if i < len(got) {
			paired[i] = true
		} else {
			missing = append(missing, line[T]{'-', j, v})
		}
	}
	for i, v := range got {
		if !paired[i] {
			extra = append(extra, line[T]{'+', i, v})
		}
	}
	return missing, extra
}

// usesEquality reports whether values of the type are deeply equal exactly if
// they are equal, and may be keys of a map that finds them again.
func usesEquality(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return true // not floats: a NaN is never found again
	case reflect.Array:
		return usesEquality(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if !usesEquality(field.Type) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

func equal[T any](a, b T) bool { return reflect.DeepEqual(a, b) }

func different[T any](l line[T]) bool { return l.mark != ' ' }

// abridge leaves out equal lines that are far from any difference. The jump in
// the indices shows where.
func abridge[T any](lines []line[T]) []line[T] {
	var kept []line[T]
	for i, l := range lines {
		from, to := max(0, i-diffContext), min(len(lines), i+diffContext+1)
		if l.mark != ' ' || slices.ContainsFunc(lines[from:to], different[T]) {
			kept = append(kept, l)
		}
	}
	return kept
}

// list prints payloads for a message, each on a line of its own.
func list[T any](payloads []T) string {
	lines := make([]line[T], len(payloads))
	for i, v := range payloads {
		lines[i] = line[T]{' ', i, v}
	}
	if len(lines) == 0 {
		return " none"
	}
	return render(lines)
}

func render[T any](lines []line[T]) string {
	more := max(0, len(lines)-maxLines)
	lines = lines[:len(lines)-more]
	texts := describeAll(lines)
	var b strings.Builder
	for i, l := range lines {
		fmt.Fprintf(&b, "\n  %c [%d] %s", l.mark, l.index, texts[i])
	}
	if more > 0 {
		fmt.Fprintf(&b, "\n    and %d more", more)
	}
	return b.String()
}

// describeAll prints the payloads of the lines. If one that came reads like one
// that was wanted, as 1 and int64(1) in an interface do, or a nil slice and an
// empty one, it prints them in Go's syntax; where that would be long or no help,
// it says how they differ.
func describeAll[T any](lines []line[T]) []string {
	texts, whole := make([]string, len(lines)), make([]bool, len(lines))
	wanted := make(map[string]int) // text to index in lines
	for i, l := range lines {
		if texts[i], whole[i] = describe(l.value); l.mark == '-' {
			wanted[texts[i]] = i
		}
	}
	var (
		ambiguous = make(map[int]int) // a '+' line to the '-' line that it reads like
		exact     = true
	)
	for i, l := range lines {
		if j, ok := wanted[texts[i]]; ok && l.mark == '+' {
			ambiguous[i] = j
			exact = exact && whole[i] && whole[j] && apart(describeExactly(l.value), describeExactly(lines[j].value))
		}
	}
	switch {
	case len(ambiguous) == 0:
	case exact:
		for i, l := range lines {
			if whole[i] {
				texts[i], _ = abbreviated(describeExactly(l.value))
			}
		}
	default:
		for i, j := range ambiguous {
			if how := difference(lines[i].value, lines[j].value); how != "" {
				texts[i] += "\n      unlike [" + strconv.Itoa(lines[j].index) + "]: " + how
			}
		}
	}
	return texts
}

// apart reports whether two texts in Go's syntax show at a glance that they differ.
func apart(a, b string) bool {
	const glance = 40
	return a != b && len(a) <= glance && len(b) <= glance
}

func describeExactly[T any](v T) string {
	if reflect.TypeFor[T]().Kind() == reflect.Interface {
		return fmt.Sprintf("%#v (%T)", v, v)
	}
	return fmt.Sprintf("%#v", v)
}

func count(n int) string {
	if n == 1 {
		return "1 payload"
	}
	return fmt.Sprintf("%d payloads", n)
}
