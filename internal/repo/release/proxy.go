package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/mod/module"
)

// writeProxy makes in a directory what a module proxy would serve of a release
// that is tagged here: with GOPROXY=file://DIRECTORY in front, the go command
// takes it from there. The layout is that of https://go.dev/ref/mod#goproxy-protocol.
func writeProxy(repository, version, to string) error {
	mods, err := modules(repository)
	if err != nil {
		return err
	}
	for dir, mod := range mods {
		tag := path.Join(dir, version)
		m := module.Version{Path: mod.Module.Path, Version: version}
		escaped, err := module.EscapePath(m.Path)
		if err != nil {
			return err
		}
		time, err := output(repository, "git", "log", "-1", "--format=%cI", tag+"^{commit}")
		if err != nil {
			return err
		}
		info, err := json.Marshal(struct{ Version, Time string }{version, time})
		if err != nil {
			return err
		}
		goMod, err := output(repository, "git", "show", tag+":"+path.Join(dir, "go.mod"))
		if err != nil {
			return err
		}
		at := filepath.Join(to, filepath.FromSlash(escaped), "@v")
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		for name, text := range map[string]string{"list": version, version + ".info": string(info), version + ".mod": goMod} {
			if err := os.WriteFile(filepath.Join(at, name), []byte(text+"\n"), 0o644); err != nil {
				return err
			}
		}
		if err := writeZip(filepath.Join(at, version+".zip"), repository, tag, dir, m); err != nil {
			return fmt.Errorf("%s: %w", tag, err)
		}
	}
	return nil
}
