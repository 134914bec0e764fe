package otelsignals

import (
	"runtime/debug"
	"sync"
)

// scope is the name of the tracer and of the meter: the path of this module.
const scope = "example.com/signals/otelsignals"

// version is that of this module in the program.
var version = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return versionIn(info)
})

// versionIn returns the version of this module in a build, or "(devel)" if that is
// not known, as of a module in a workspace.
func versionIn(info *debug.BuildInfo) string {
	const unknown = "(devel)"
	if info == nil {
		return unknown
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path != scope {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version != "" {
			return m.Version
		}
	}
	return unknown
}
