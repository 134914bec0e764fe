// Command release prepares a release of all modules of this repository, and
// pushes nothing:
//
//	make release VERSION=v0.1.0
//
// A module that is imported ignores its own replace directives, and nobody can
// fetch the v0.0.0 that they stand for. So a release is a commit in which the
// modules require each other at the version. It lies beside the branch, where
// only the tags reach it: the branch never loses the replaces that make a
// checkout build. (Rejected: two commits on the branch, one that drops the
// replaces and one that brings them back, since bisecting stops at the first.)
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	proxy := flag.String("proxy", "", "write what a module proxy would serve of a prepared release into this directory, and nothing else")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "release: want the version, as in `make release VERSION=v0.1.0`")
		os.Exit(1)
	}
	r := release{dir: ".", version: flag.Arg(0), today: time.Now(), out: os.Stdout}
	err := checkVersion(r.version)
	switch {
	case err != nil:
	case *proxy != "":
		err = writeProxy(r.dir, r.version, *proxy)
	default:
		err = r.prepare()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}
