package repo

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// A document is a Markdown file, taken apart as far as the tests of this
// package need it.
type document struct {
	file   string
	blocks []block
	prose  []numbered // the lines outside of code blocks
}

type block struct {
	lang   string
	text   string // without the fences
	line   int    // of the opening fence, from 1
	lines  int    // between the fences
	marker string // the content of an HTML comment right above, if any
}

type numbered struct {
	number int
	text   string
}

var (
	fence   = regexp.MustCompile("^ {0,3}(```+|~~~+)\\s*([^`\\s]*)")
	comment = regexp.MustCompile(`^<!--\s*(.*?)\s*-->$`)
)

// documents returns all Markdown files of the repository.
func documents(t *testing.T) []document {
	t.Helper()
	var docs []document
	for _, file := range filesNamed(t, "*.md") {
		doc, err := parseDocument(file, readFile(t, file))
		if err != nil {
			t.Error(err)
		}
		docs = append(docs, doc)
	}
	return docs
}

func parseDocument(file, text string) (document, error) {
	doc := document{file: file}
	var open *block
	var fenced string
	var body []string
	marker := ""
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		if open != nil {
			if strings.HasPrefix(trimmed, fenced) && strings.Trim(trimmed, fenced[:1]) == "" {
				open.text, open.lines = strings.Join(body, "\n"), len(body)
				doc.blocks = append(doc.blocks, *open)
				open, body = nil, nil
				continue
			}
			body = append(body, line)
			continue
		}
		if m := fence.FindStringSubmatch(line); m != nil {
			open, fenced = &block{lang: m[2], line: number, marker: marker}, m[1]
			marker = ""
			continue
		}
		doc.prose = append(doc.prose, numbered{number, line})
		if m := comment.FindStringSubmatch(trimmed); m != nil {
			marker = m[1]
		} else if trimmed != "" {
			marker = ""
		}
	}
	if open != nil {
		return doc, fmt.Errorf("%s:%d: this code block does not end", file, open.line)
	}
	return doc, nil
}

var (
	codeSpan   = regexp.MustCompile("``.*?``|`[^`]*`")
	inlineLink = regexp.MustCompile(`\]\(\s*<?([^)>\s]+)>?(?:\s+"[^"]*")?\s*\)`)
	reference  = regexp.MustCompile(`^ {0,3}\[[^\]]+\]:\s*<?([^>\s]+)`)
	htmlLink   = regexp.MustCompile(`(?:href|src)="([^"]+)"`)
)

// links returns what the document links to, with line numbers.
func (d document) links() []numbered {
	var links []numbered
	for _, line := range d.prose {
		if strings.HasPrefix(line.text, "\t") {
			continue // indented code, as in the API reference
		}
		text := codeSpan.ReplaceAllString(line.text, "code")
		for _, pattern := range []*regexp.Regexp{inlineLink, reference, htmlLink} {
			for _, m := range pattern.FindAllStringSubmatch(text, -1) {
				links = append(links, numbered{line.number, m[1]})
			}
		}
	}
	return links
}

var (
	heading   = regexp.MustCompile(`^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$`)
	linkText  = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N}\p{M} _-]`)
	anchorTag = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
)

// anchors returns what a link into the document may name: its headings, as
// forges turn them into anchors, and its own <a id="...">.
func (d document) anchors() map[string]bool {
	anchors := make(map[string]bool)
	for _, line := range d.prose {
		for _, m := range anchorTag.FindAllStringSubmatch(line.text, -1) {
			anchors[m[1]] = true
		}
		m := heading.FindStringSubmatch(line.text)
		if m == nil {
			continue
		}
		text := linkText.ReplaceAllString(m[1], "$1")
		slug := strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
		unique := slug
		for n := 1; anchors[unique]; n++ {
			unique = fmt.Sprintf("%s-%d", slug, n)
		}
		anchors[unique] = true
	}
	return anchors
}
