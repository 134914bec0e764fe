package repo

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	absolute   = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*:|//)`)
	lineAnchor = regexp.MustCompile(`^L\d+(-L\d+)?$`)
)

func TestRelativeLinksResolve(t *testing.T) {
	docs := documents(t)
	byFile := make(map[string]document)
	for _, doc := range docs {
		byFile[doc.file] = doc
	}
	for _, doc := range docs {
		for _, link := range doc.links() {
			if err := checkLink(doc, link.text, byFile); err != nil {
				t.Errorf("%s:%d: %s: %v", doc.file, link.number, link.text, err)
			}
		}
	}
}

func checkLink(doc document, target string, docs map[string]document) error {
	if absolute.MatchString(target) {
		return nil
	}
	file, anchor, _ := strings.Cut(target, "#")
	if file == "" {
		file = doc.file
	} else {
		file = path.Join(path.Dir(doc.file), file)
	}
	if !filepath.IsLocal(file) {
		return fmt.Errorf("leads out of the repository")
	}
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil {
		return fmt.Errorf("there is no %s", file)
	}
	switch linked, ok := docs[file]; {
	case anchor == "", lineAnchor.MatchString(anchor) && !ok:
		return nil
	case !ok:
		return fmt.Errorf("%s is not Markdown and has no anchors", file)
	case !linked.anchors()[anchor]:
		return fmt.Errorf("%s has no heading #%s", file, anchor)
	}
	return nil
}

// What the checks above rest on, against Markdown as people write it.
func TestDocumentsAreUnderstood(t *testing.T) {
	doc, err := parseDocument("docs/x.md", strings.Join([]string{
		"# What's a `Signal[T]`?",
		"[one](one.md) and [two](<two.md#a> \"title\") but not `[three](three.md)`",
		"![figure](figures/f.png) <img src=\"g.png\">",
		"## Again", "## Again", "## [Linked](one.md) title",
		"[ref]: ref.md",
		"<!-- from a.go#b -->",
		"```go",
		"[in code](code.md)",
		"```",
		`<a id="signals.New"></a>`,
		"~~~~",
		"```",
		"~~~~",
		"\t[in indented code](code.md)",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	var links []string
	for _, link := range doc.links() {
		links = append(links, fmt.Sprintf("%d:%s", link.number, link.text))
	}
	if got, want := strings.Join(links, " "),
		"2:one.md 2:two.md#a 3:figures/f.png 3:g.png 6:one.md 7:ref.md"; got != want {
		t.Errorf("links are %q, want %q", got, want)
	}
	anchors := doc.anchors()
	for _, anchor := range []string{"whats-a-signalt", "again", "again-1", "linked-title", "signals.New"} {
		if !anchors[anchor] {
			t.Errorf("no anchor %s in %v", anchor, anchors)
		}
	}
	if want := []block{
		{lang: "go", text: "[in code](code.md)", line: 9, lines: 1, marker: "from a.go#b"},
		{text: "```", line: 13, lines: 1},
	}; !slices.Equal(doc.blocks, want) {
		t.Errorf("code blocks are %+v, want %+v", doc.blocks, want)
	}
	if _, err := parseDocument("x.md", "```go\nx"); err == nil {
		t.Error("a code block without end was accepted")
	}
}
