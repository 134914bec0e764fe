package repo

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the code into the documents")

// The Go code of the README and of the documents is compiled and run: above
// each block stands a comment that says where it was taken from,
//
//	<!-- from example_bus_test.go#ExampleNewBus -->
//	<!-- from examples/internal/guide/first.go#subscribe -->
//	<!-- from examples/internal/guide/first.go -->
//
// the body of a function, the lines between "// region subscribe" and
// "// endregion", or the file. Code that cannot be compiled says why:
//
//	<!-- not compiled: this is how it was done before -->
func TestDocumentsShowCompiledCode(t *testing.T) {
	for _, doc := range documents(t) {
		if doc.file != "README.md" && path.Dir(doc.file) != "docs" || doc.file == "docs/api_reference.md" {
			continue // the reference is compared by its generator
		}
		lines, changed := strings.Split(readFile(t, doc.file), "\n"), false
		for _, b := range slices.Backward(doc.blocks) { // so that the lines of those before stay where they are
			where := fmt.Sprintf("%s:%d", doc.file, b.line)
			kind, source, _ := strings.Cut(b.marker, " ")
			switch {
			case kind == "from":
				code, err := snippet(source)
				if err != nil {
					t.Errorf("%s: %v", where, err)
				} else if code != b.text && *update {
					lines, changed = withBlock(lines, b, code), true
				} else if code != b.text {
					t.Errorf("%s: this is not %s; run `make docs`. It should read\n%s", where, source, code)
				}
			case b.lang == "go" && !strings.HasPrefix(b.marker, "not compiled: "):
				t.Errorf("%s: say in a comment above where this code comes from: <!-- from FILE#NAME -->", where)
			}
		}
		if changed {
			if err := os.WriteFile(filepath.Join(root, doc.file), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A block is a part of a program. Who wants to run it finds the whole one by a
// link of the document, to its file or directory; the comment above the block is
// not shown.
func TestBlocksLeadToTheirPrograms(t *testing.T) {
	for _, doc := range documents(t) {
		if doc.file != "README.md" && path.Dir(doc.file) != "docs" || doc.file == "docs/api_reference.md" {
			continue
		}
		linked := map[string]bool{}
		for _, link := range doc.links() {
			file, _, _ := strings.Cut(link.text, "#")
			linked[path.Join(path.Dir(doc.file), file)] = !absolute.MatchString(link.text) && file != ""
		}
		said := map[string]bool{}
		for _, b := range doc.blocks {
			kind, source, _ := strings.Cut(b.marker, " ")
			file, _, part := strings.Cut(source, "#")
			if kind != "from" || !part || linked[file] || linked[path.Dir(file)] || said[file] {
				continue
			}
			said[file] = true
			t.Errorf("%s:%d: the block is of %s, to which no link of the document leads", doc.file, b.line, file)
		}
	}
}

// withBlock returns the lines of a document with other code in a block.
func withBlock(lines []string, b block, code string) []string {
	return slices.Concat(lines[:b.line], strings.Split(code, "\n"), lines[b.line+b.lines:])
}

// snippet returns the code that FILE or FILE#NAME stands for.
func snippet(source string) (string, error) {
	file, name, _ := strings.Cut(source, "#")
	if !filepath.IsLocal(file) {
		return "", fmt.Errorf("%q is no file of this repository", file)
	}
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return "", err
	}
	if name == "" {
		return strings.TrimSpace(string(data)), nil
	}
	return extract(file, string(data), name)
}

var marker = regexp.MustCompile(`^\s*// (region (\S+)|endregion)\s*$`)

// extract returns a region or the body of a function, as it would be written
// at the left margin, without the markers of regions within.
func extract(file, text, name string) (string, error) {
	lines := strings.Split(text, "\n")
	var body []string
	found, depth := false, 0 // depth counts regions open within the one that is wanted
	for _, line := range lines {
		m := marker.FindStringSubmatch(line)
		switch {
		case !found:
			found = m != nil && m[2] == name
		case m == nil:
			body = append(body, line)
		case m[2] != "":
			depth++
		case depth > 0:
			depth--
		default:
			return dedent(body), nil
		}
	}
	if found {
		return "", fmt.Errorf("%s: region %s has no end", file, name)
	}

	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, text, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	for _, decl := range parsed.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || fn.Name.Name != name || fn.Body == nil {
			continue
		}
		first, last := fset.Position(fn.Body.Lbrace).Line, fset.Position(fn.Body.Rbrace).Line
		for _, line := range lines[first:max(first, last-1)] {
			if !marker.MatchString(line) {
				body = append(body, line)
			}
		}
		return dedent(body), nil
	}
	return "", fmt.Errorf("%s has neither a region nor a function %s", file, name)
}

// dedent removes the indentation that all lines share, and empty lines around
// them.
func dedent(lines []string) string {
	indent := -1
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			width := len(line) - len(strings.TrimLeft(line, "\t"))
			if indent < 0 || width < indent {
				indent = width
			}
		}
	}
	var b strings.Builder
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			b.WriteString(line[indent:])
		}
		b.WriteByte('\n')
	}
	return strings.Trim(b.String(), "\n")
}

func TestSnippetsAreExtracted(t *testing.T) {
	const source = `package x

func ExampleA() {
	// region outer
	if true {
		a()
		// region inner
		b()

		c()
		// endregion
	}
	// endregion
	d()
	// Output:
	// x
}

func (t T) method() {}

// region open
`
	for _, test := range []struct{ name, want string }{
		{"ExampleA", "if true {\n\ta()\n\tb()\n\n\tc()\n}\nd()\n// Output:\n// x"},
		{"outer", "if true {\n\ta()\n\tb()\n\n\tc()\n}"},
		{"inner", "b()\n\nc()"},
		{"open", "error: x.go: region open has no end"},
		{"method", "error: x.go has neither a region nor a function method"},
	} {
		got, err := extract("x.go", source, test.name)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != test.want {
			t.Errorf("%s is\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
	if _, err := snippet("../outside.go"); err == nil {
		t.Error("a file outside of the repository was accepted")
	}
}

func TestBlocksAreReplaced(t *testing.T) {
	const text = "<!-- from a#b -->\n```go\n```\n\n<!-- from a#b -->\n```go\nold\n\ncode\n```\n"
	doc, err := parseDocument("x.md", text)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text, "\n")
	for _, b := range slices.Backward(doc.blocks) {
		lines = withBlock(lines, b, "new\nlines")
	}
	const want = "<!-- from a#b -->\n```go\nnew\nlines\n```\n\n<!-- from a#b -->\n```go\nnew\nlines\n```\n"
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
