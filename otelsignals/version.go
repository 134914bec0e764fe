package otelsignals

import (
	"runtime/debug"
	"sync"
)

// version is that of this module in the program, as tracers and meters tell it:
// "" in a checkout, where there is none.
var version = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return versionIn(info)
})

func versionIn(info *debug.BuildInfo) string {
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path != scope {
			continue
		}
		if m.Replace != nil {
			m = m.Replace // a directory has no version
		}
		if m.Version != "(devel)" {
			return m.Version
		}
	}
	return ""
}
