package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
)

// outside is an empty module of somebody else, who knows of a release what a
// module proxy serves.
type outside struct {
	t       *testing.T
	repo    string // a repository in which the release is tagged
	dir     string // the module
	core    string // the module path of what is released
	version string
	mods    map[string]modFile
	env     []string
}

var fromOutside = flag.Bool("outside", false, "use a release of this tree as somebody outside does")

const outsidePath = "example.org/outside"

// A release as `make release` tags it is built by those who have nothing but a
// module proxy; under our path, and under another.
func TestReleaseWorksFromOutside(t *testing.T) { releaseWorks(t, "") }
func TestReleaseUnderAnotherModulePathWorksFromOutside(t *testing.T) {
	releaseWorks(t, "github.com/Acme/signals")
}

func releaseWorks(t *testing.T, renamed string) {
	if !*fromOutside {
		t.Skip("this test builds all libraries; it runs with -outside, as in `.ci/run release`")
	}
	o := releasedTree(t, renamed)
	t.Run("modules have the sums of each other", o.sumsAreRight)
	t.Run("go get of every library", o.getLibraries)
	t.Run("go install of the command", o.installCommand)
	t.Run("the documents' programs", o.buildDocuments)
	t.Run("the version in traces", o.traceVersion)
}

// releasedTree makes a repository of the tree as it is, and releases it.
func releasedTree(t *testing.T, renamed string) *outside {
	t.Helper()
	top, err := output(".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		t.Skipf("this test needs git and a checkout: %v", err)
	}
	files, err := output(top, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		t.Fatal(err)
	}
	identify(t)
	o := &outside{t: t, repo: t.TempDir(), dir: t.TempDir()}
	for file := range strings.SplitSeq(strings.TrimSuffix(files, "\x00"), "\x00") {
		if data, err := os.ReadFile(filepath.Join(top, file)); err == nil { // or it is deleted, and that not committed
			write(t, o.repo, file, string(data))
		}
	}
	if o.mods, err = modules(top); err != nil {
		t.Fatal(err)
	}
	for _, dir := range slices.Sorted(maps.Keys(o.mods)) {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test", "./...")
		cmd.Dir = filepath.Join(o.repo, dir)
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("this test needs the modules that %s requires, from the module cache or a proxy: %v\n%s", dir, err, out)
		}
	}
	if renamed != "" {
		if err := run(o.repo, "make", "module", "MODULE="+renamed); err != nil {
			t.Fatal(err)
		}
	}
	git(t, o.repo, "init", "-q", "-b", "main")
	commit(t, o.repo)

	// What is taken from a proxy stays in the module cache, and a version means
	// the same for ever: each run has one of its own, and takes it away.
	o.version = fmt.Sprintf("v0.1.0-test.%d", time.Now().UnixNano())
	if out, err := prepare(o.repo, o.version); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	git(t, o.repo, "checkout", "-q", o.version)
	if o.mods, err = modules(o.repo); err != nil {
		t.Fatal(err)
	}
	o.core = o.mods["."].Module.Path
	cache, err := output(".", "go", "env", "GOMODCACHE")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.clean(cache) })

	proxy := t.TempDir()
	if err := writeProxy(o.repo, o.version, proxy); err != nil {
		t.Fatal(err)
	}
	o.env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -modcacherw", "GOTOOLCHAIN=local", "GOBIN="+filepath.Join(proxy, "bin"),
		// Whatever else is needed was loaded above. It is not asked for anywhere
		// else, so that a path which leads nowhere is an answer, not a time-out.
		"GOPROXY="+fileURL(proxy)+","+fileURL(filepath.Join(cache, "cache", "download")), "GONOPROXY=none", "GOPRIVATE=", "GOSUMDB=off")
	return o
}

func fileURL(dir string) string { return "file://" + filepath.ToSlash(dir) }

// clean takes this run's versions from the module cache.
func (o *outside) clean(cache string) {
	for _, mod := range o.mods {
		escaped, err := module.EscapePath(mod.Module.Path)
		if err != nil {
			o.t.Error(err)
			continue
		}
		at := filepath.Join(cache, "cache", "download", escaped, "@v")
		kept, err := filepath.Glob(filepath.Join(at, o.version+".*"))
		if err != nil {
			o.t.Error(err)
		}
		tree := filepath.Join(cache, escaped+"@"+o.version)
		for _, file := range append(kept, tree, filepath.Join(at, "list")) {
			if err := os.RemoveAll(file); err != nil {
				o.t.Error(err)
			}
		}
		for _, dir := range []string{at, filepath.Dir(tree)} {
			for dir != cache && os.Remove(dir) == nil { // those that are empty now
				dir = filepath.Dir(dir)
			}
		}
	}
}

// run runs a command as somebody outside, in a directory of the module.
func (o *outside) run(t *testing.T, dir string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, o.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, &stderr)
	}
	return string(out)
}

// sumsAreRight loads each module at its tag with its sums as they are.
func (o *outside) sumsAreRight(t *testing.T) {
	for _, dir := range slices.Sorted(maps.Keys(o.mods)) {
		o.run(t, filepath.Join(o.repo, dir), "go", "list", "-mod=readonly", "-deps", "-test", "./...")
	}
	if dirty := git(t, o.repo, "status", "--porcelain"); dirty != "" {
		t.Errorf("loading the modules changed\n%s", dirty)
	}
}

// getLibraries gets every library, and builds a program of all their packages.
func (o *outside) getLibraries(t *testing.T) {
	o.run(t, o.dir, "go", "mod", "init", outsidePath)
	var get []string
	var program strings.Builder
	program.WriteString("package main\n\n")
	for _, dir := range slices.Sorted(maps.Keys(o.mods)) {
		library, err := isLibrary(o.repo, dir)
		if err != nil {
			t.Fatal(err)
		}
		if !library {
			continue
		}
		get = append(get, o.mods[dir].Module.Path+"@"+o.version)
		for pkg := range strings.FieldsSeq(o.run(t, filepath.Join(o.repo, dir), "go", "list", "-f", `{{if ne .Name "main"}}{{.ImportPath}}{{end}}`, "./...")) {
			if !strings.Contains(pkg+"/", "/internal/") {
				fmt.Fprintf(&program, "import _ %q\n", pkg)
			}
		}
	}
	if len(get) < 10 {
		t.Fatalf("the libraries are %q; there are more", get)
	}
	program.WriteString("\nfunc main() {}\n")
	o.run(t, o.dir, "go", append([]string{"get"}, get...)...)
	write(t, o.dir, "all/main.go", program.String())
	o.run(t, o.dir, "go", "vet", "./all")
}

func (o *outside) installCommand(t *testing.T) {
	at := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "install", o.core+"/cmd/signals@"+o.version)
	cmd.Dir, cmd.Env = at, append(o.env, "GOBIN="+at, "GOFLAGS=-modcacherw")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	if got := o.run(t, at, filepath.Join(at, "signals"), "--version"); !strings.Contains(got, o.version) {
		t.Errorf("the command says it is %q, want %s", got, o.version)
	}
}

// traceVersion is the instrumentation version that exporters get.
func (o *outside) traceVersion(t *testing.T) {
	write(t, o.dir, "version/main.go", strings.ReplaceAll(`package main

import (
	"fmt"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"CORE/otelsignals"
)

type provider struct{ noop.TracerProvider }

func (provider) Tracer(_ string, opts ...trace.TracerOption) trace.Tracer {
	c := trace.NewTracerConfig(opts...)
	fmt.Println(c.InstrumentationVersion())
	return noop.Tracer{}
}

func main() { otelsignals.New(otelsignals.TracerProvider(provider{}), otelsignals.NoMetrics()) }
`, "CORE", o.core))
	if got := strings.TrimSpace(o.run(t, o.dir, "go", "run", "./version")); got != o.version {
		t.Errorf("the instrumentation version is %q, want %q", got, o.version)
	}
}
