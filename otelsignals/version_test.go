package otelsignals

import (
	"runtime/debug"
	"testing"
)

func TestVersionIsThatOfTheModuleInTheBuild(t *testing.T) {
	module := func(version string, replace *debug.Module) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main: debug.Module{Path: "example.com/shop", Version: "v9.9.9"},
			Deps: []*debug.Module{{Path: "other", Version: "v8.8.8"}, {Path: scope, Version: version, Replace: replace}},
		}
	}
	for want, info := range map[string]*debug.BuildInfo{
		"v1.2.3":  module("v1.2.3", nil),
		"v1.2.4":  module("v1.2.3", &debug.Module{Path: "fork", Version: "v1.2.4"}),
		"(devel)": module("v0.0.0", &debug.Module{Path: "../signals/otelsignals"}),
		"v1.0.0":  {Main: debug.Module{Path: scope, Version: "v1.0.0"}},
	} {
		if got := versionIn(info); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if versionIn(nil) != "(devel)" || versionIn(new(debug.BuildInfo)) != "(devel)" {
		t.Error("a build without a version has one")
	}
}
