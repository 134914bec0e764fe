package shop

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gzipped is text in gzip form.
func gzipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// file writes a file of that name and content.
func file(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInputIsToldByItsBytes(t *testing.T) {
	for _, name := range []string{"a.csv.gz", "a.csv"} {
		in, err := OpenInput(file(t, name, gzipped(t, "hello")))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if string(text) != "hello" || err != nil {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		if in.Done() != 1 {
			t.Errorf("%s: read to the end, but Done() = %v", name, in.Done())
		}
		in.Close()
	}
	in, err := OpenInput(file(t, "a.csv", []byte("plain")))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if text, err := io.ReadAll(in); string(text) != "plain" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestAGzipFileMayHaveSeveralMembers(t *testing.T) {
	in, err := OpenInput(file(t, "a.csv.gz", append(gzipped(t, "hello, "), gzipped(t, "world")...)))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if text, err := io.ReadAll(in); string(text) != "hello, world" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestUnreadableInputSaysWhy(t *testing.T) {
	whole := gzipped(t, strings.Repeat("some text, ", 10_000))
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-8] ^= 1 // the checksum
	for name, c := range map[string]struct{ path, want string }{
		"missing":         {filepath.Join(t.TempDir(), "none.csv"), "no such file"},
		"directory":       {t.TempDir(), "is a directory"},
		"noise as .gz":    {file(t, "a.gz", []byte("noise")), "not a gzip file"},
		"empty .gz":       {file(t, "a.gz", nil), "not a gzip file"},
		"cut off":         {file(t, "a.gz", whole[:len(whole)/2]), "cut off"},
		"cut off early":   {file(t, "a.gz", whole[:5]), "cut off"},
		"cut off at once": {file(t, "a.gz", whole[:2]), "cut off"},
		"wrong checksum":  {file(t, "a.gz", damaged), "checksum"},
		"text behind it":  {file(t, "a.gz", append(bytes.Clone(whole), "and more and more"...)), "something follows it"},
		"a word behind":   {file(t, "a.gz", append(bytes.Clone(whole), "junk"...)), "something follows it"},
		"a byte behind":   {file(t, "a.gz", append(bytes.Clone(whole), '\n')), "something follows it"},
		"half of another": {file(t, "a.gz", append(bytes.Clone(whole), whole[:5]...)), "cut off"},
	} {
		err := readAll(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", name, err, c.want)
		}
	}
}

func readAll(path string) error {
	in, err := OpenInput(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := io.Copy(io.Discard, in); err != nil && !errors.Is(err, io.EOF) {
		return in.Explain(err)
	}
	return nil
}
