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
// and as a table under "Guarantees" in the README. Both have the same rows in
// the same order, and in each row the same names of the API and the same
// numbers, so that neither changes without the other.
func TestReadmeHasTheContractOfThePackageComment(t *testing.T) {
	core, names := corePackage(t)
	sections := contractOf(core)
	rows := tableUnder(readFile(t, "README.md"), "## Guarantees")
	if got, want := titles(rows), titles(sections); !slices.Equal(got, want) {
		t.Fatalf("the rows of the README are\n%q\nthe sections of doc.go\n%q", got, want)
	}
	for i, s := range sections {
		want, got := said(s.text, names), said(rows[i].text, names)
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
