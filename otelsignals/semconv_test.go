package otelsignals

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// All names stand in semconv.go, and the documentation says which version.
func TestNamesOfConventionsStandInOneFile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`"(messaging|code|error|exception|signals)\.[a-z_.]+"`)
	for _, file := range files {
		if file == "semconv.go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		text := read(t, file)
		if found := name.FindString(text); found != "" {
			t.Errorf("%s names %s", file, found)
		}
	}
	version := schemaURL[strings.LastIndex(schemaURL, "/")+1:]
	if !strings.Contains(read(t, "doc.go"), "version "+version) {
		t.Errorf("the documentation does not name version %s", version)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
