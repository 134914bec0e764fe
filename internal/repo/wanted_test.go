package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table "I want ..., use ..." of the concepts leads to all that the core
// exports to be called, and to every example of it, by the file that it is in.
func TestTheTableOfWishesLeadsToEveryFunctionAndExampleOfTheCore(t *testing.T) {
	rows := tableUnder(readFile(t, "docs/concepts.md"), "## I want ..., use ...")
	named, shown := wanted(rows)
	calls, examples := callable(t)
	if len(rows) == 0 || len(calls) < 50 || len(examples) < 40 {
		t.Fatalf("%d rows for %d functions and %d examples", len(rows), len(calls), len(examples))
	}
	for _, name := range calls {
		if !named[name] {
			t.Errorf("no row leads to %s", name)
		}
	}
	for name, file := range examples {
		if shown[name] != file {
			t.Errorf("the row that leads to %s of %s leads to %q", name, file, shown[name])
		}
	}
	for name := range shown {
		if examples[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
}

var (
	quoted      = regexp.MustCompile("`([A-Za-z.]+)`")
	exampleLink = regexp.MustCompile(`\[(\w+)\]\(\.\./(\w+_test\.go)\)`)
)

// wanted returns the names that stand in rows as code, methods without their type,
// and the examples, with the file that each link leads to.
func wanted(rows []part) (named map[string]bool, shown map[string]string) {
	named, shown = make(map[string]bool), make(map[string]string)
	for _, row := range rows {
		for _, m := range quoted.FindAllStringSubmatch(row.text, -1) {
			named[m[1][strings.LastIndexByte(m[1], '.')+1:]] = true
		}
		for _, m := range exampleLink.FindAllStringSubmatch(row.text, -1) {
			shown[m[1]] = m[2]
		}
	}
	return named, shown
}

// callable returns what the core exports to be called, but for the methods that
// errors and figures are printed and compared with, and its examples with their
// files, named as in the table: without the word, "whole" for that of the package.
func callable(t *testing.T) (calls []string, examples map[string]string) {
	t.Helper()
	examples = make(map[string]string)
	files, err := filepath.Glob(filepath.Join(root, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			name := f.Name.Name
			switch example, ok := strings.CutPrefix(name, "Example"); {
			case ok && example == "":
				examples["whole"] = filepath.Base(file)
			case ok:
				examples[strings.TrimPrefix(example, "_")] = filepath.Base(file)
			case strings.HasSuffix(file, "_test.go"):
			case f.Recv != nil && (name == "Error" || name == "Unwrap" || name == "Is" || name == "String"):
			case f.Recv != nil && !exportedReceiver(f.Recv.List[0].Type):
			default:
				calls = append(calls, name)
			}
		}
	}
	slices.Sort(calls)
	return slices.Compact(calls), examples
}

// exportedReceiver reports whether users have values with that method: signal,
// which is not exported, is embedded in what is.
func exportedReceiver(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.StarExpr:
		return exportedReceiver(e.X)
	case *ast.IndexExpr:
		return exportedReceiver(e.X)
	case *ast.Ident:
		return e.IsExported() || e.Name == "signal"
	}
	return false
}

func TestTheTableOfWishesIsTakenApart(t *testing.T) {
	named, shown := wanted([]part{{"x", " [`Close`](a.md#b), `Bus.Drain` | [Retain](../example_async_test.go), [more](more.md) |"}})
	if !named["Close"] || !named["Drain"] || len(named) != 2 || len(shown) != 1 || shown["Retain"] != "example_async_test.go" {
		t.Errorf("got %v and %v", named, shown)
	}
}
