package otelsignals

import (
	"runtime/debug"
	"testing"
)

func TestVersionIsThatOfTheModuleInTheProgram(t *testing.T) {
	other := &debug.Module{Path: "example.com/other", Version: "v9.9.9"}
	for _, test := range []struct {
		name string
		own  *debug.Module
		want string
	}{
		{"required", &debug.Module{Path: scope, Version: "v0.1.0"}, "v0.1.0"},
		{"replaced by a directory", &debug.Module{Path: scope, Version: "v0.1.0", Replace: &debug.Module{Path: "../otelsignals"}}, ""},
		{"replaced by a fork", &debug.Module{Path: scope, Version: "v0.1.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v0.1.1"}}, "v0.1.1"},
		{"of the workspace", &debug.Module{Path: scope, Version: "(devel)"}, ""},
		{"absent", other, ""},
	} {
		if got := versionIn(&debug.BuildInfo{Main: debug.Module{Path: "example.com/program"}, Deps: []*debug.Module{other, test.own}}); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
