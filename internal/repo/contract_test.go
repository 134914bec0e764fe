package repo

import (
	"go/ast"
	gocomment "go/doc/comment"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The contract is told twice: at length in the package comment of the core,
// and as tables, by the kind of signal, under "Guarantees" in the README. Every
// section is a row, of one table or of several, and each table has its rows in the
// order of the sections. Section and rows have the same names of the API and the same
// numbers, so that neither changes without the other.
func TestReadmeHasTheContractOfThePackageComment(t *testing.T) {
	core, names := corePackage(t)
	sections := contractOf(core)
	tables := tablesUnder(readFile(t, "README.md"), "## Guarantees")
	if len(tables) < 2 {
		t.Fatalf("%d tables", len(tables))
	}
	text := make(map[string]string) // what the README says, by title
	for _, rows := range tables {
		if !within(titles(rows), titles(sections)) {
			t.Fatalf("the rows of a table of the README are\n%q\nthe sections of doc.go\n%q", titles(rows), titles(sections))
		}
		for _, row := range rows {
			text[row.title] += " " + row.text
		}
	}
	for _, s := range sections {
		if text[s.title] == "" {
			t.Errorf("%s: the README has no row", s.title)
			continue
		}
		want, got := said(s.text, names), said(text[s.title], names)
		for _, word := range want {
			if !slices.Contains(got, word) {
				t.Errorf("%s: doc.go says %s, the README does not", s.title, word)
			}
		}
		for _, word := range got {
			if !slices.Contains(want, word) {
				t.Errorf("%s: the README says %s, doc.go does not", s.title, word)
			}
		}
	}
}

type part struct{ title, text string }

func titles(parts []part) (titles []string) {
	for _, p := range parts {
		titles = append(titles, p.title)
	}
	return titles
}

// corePackage returns the package comment of the core and its exported names,
// those of methods included, in lower case.
func corePackage(t *testing.T) (text string, names map[string]bool) {
	t.Helper()
	names = make(map[string]bool)
	add := func(id *ast.Ident) {
		if id.IsExported() {
			names[strings.ToLower(id.Name)] = true
		}
	}
	fset := token.NewFileSet()
	files, err := filepath.Glob(filepath.Join(root, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(fset, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if parsed.Doc != nil {
			text += parsed.Doc.Text()
		}
		for _, decl := range parsed.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				add(decl.Name)
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						add(spec.Name)
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							add(name)
						}
					}
				}
			}
		}
	}
	// The heads of the columns, and a word that every row has.
	for _, common := range []string{"syncsignal", "asyncsignal", "signal", "name", "key"} {
		delete(names, common)
	}
	if len(files) == 0 || text == "" || len(names) == 0 {
		t.Fatalf("the core in %s has no package comment, or exports nothing", root)
	}
	return text, names
}

// contractOf returns the sections behind the heading Contract.
func contractOf(text string) (sections []part) {
	begun := false
	printer := &gocomment.Printer{}
	for _, block := range new(gocomment.Parser).Parse(text).Content {
		one := string(printer.Text(&gocomment.Doc{Content: []gocomment.Block{block}}))
		if _, ok := block.(*gocomment.Heading); ok {
			title := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(one), "#"))
			if begun {
				sections = append(sections, part{title: title})
			}
			begun = begun || title == "Contract"
		} else if n := len(sections); n > 0 {
			sections[n-1].text += one
		}
	}
	return sections
}

// within reports whether all of part is in whole, in its order.
func within(part, whole []string) bool {
	for _, s := range whole {
		if len(part) > 0 && part[0] == s {
			part = part[1:]
		}
	}
	return len(part) == 0
}

// tablesUnder returns the tables behind a heading of the second level, up to the next.
func tablesUnder(text, heading string) (tables [][]part) {
	_, text, _ = strings.Cut(text, "\n"+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for i, piece := range strings.Split(text, "\n### ") {
		if i > 0 {
			if rows := tableUnder("\n# x\n"+piece, "# x"); rows != nil {
				tables = append(tables, rows)
			}
		}
	}
	return tables
}

// tableUnder returns the rows of the first table behind a heading.
func tableUnder(text, heading string) (rows []part) {
	_, text, _ = strings.Cut(text, "\n"+heading+"\n")
	begun := false
	for line := range strings.Lines(text) {
		cells, ok := strings.CutPrefix(strings.TrimSpace(line), "|")
		switch {
		case !ok && begun:
			return rows
		case !ok:
		case !begun:
			begun = true // the heads
		case strings.HasPrefix(cells, "---"):
		default:
			title, rest, _ := strings.Cut(cells, "|")
			rows = append(rows, part{strings.TrimSpace(title), rest})
		}
	}
	return rows
}

var word = regexp.MustCompile(`[A-Za-z]+|[0-9][0-9,]*`)

// said returns the names and numbers in a text, in lower case, sorted.
func said(text string, names map[string]bool) (words []string) {
	for _, w := range word.FindAllString(text, -1) {
		low := strings.TrimRight(strings.ToLower(w), ",")
		if low[0] <= '9' || names[low] && w != low {
			words = append(words, low)
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func TestContractsAreTakenApart(t *testing.T) {
	sections := contractOf("Package x.\n\n# Words\n\nNone.\n\n# Contract\n\nAll of it.\n\n# Order\n\n  - Emit is first, in 1,000 Limits\n\n# Close\n\nNo emit.\n")
	rows := tableUnder("# x\n## Guarantees\n\ntext\n\n| | a | b |\n|---|---|---|\n| Order | `Emit`: 1,000, | `Limit(7)` |\n| Close | | |\n\n| other |\n", "## Guarantees")
	if got, want := titles(sections), []string{"Order", "Close"}; !slices.Equal(got, want) {
		t.Errorf("sections are %q, want %q", got, want)
	}
	if got, want := titles(rows), []string{"Order", "Close"}; !slices.Equal(got, want) {
		t.Errorf("rows are %q, want %q", got, want)
	}
	tables := tablesUnder("# x\n## Guarantees\n\n### a\n\n| | |\n|---|---|\n| Order | b |\n\n### c\n\ntext\n\n| | |\n|---|---|\n| Order | d |\n| Close | e |\n\n## f\n\n### g\n\n| | |\n|---|---|\n| h | i |\n", "## Guarantees")
	if len(tables) != 2 || len(tables[0]) != 1 || !slices.Equal(titles(tables[1]), []string{"Order", "Close"}) {
		t.Errorf("tables are %q", tables)
	}
	if order := titles(sections); within([]string{"Close", "Order"}, order) || within([]string{"Open"}, order) || !within([]string{"Close"}, order) {
		t.Error("another order, or another row, passes")
	}
	names := map[string]bool{"emit": true, "limit": true}
	for _, test := range []struct{ text, want string }{
		{sections[0].text, "1,000 emit"}, // Limits is another word
		{sections[1].text, ""},
		{rows[0].text, "1,000 7 emit limit"},
	} {
		if got := strings.Join(said(test.text, names), " "); got != test.want {
			t.Errorf("%q says %q, want %q", test.text, got, test.want)
		}
	}
}
