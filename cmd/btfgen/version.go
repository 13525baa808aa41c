package main

import "runtime/debug"

// release is the version that a build gives with -ldflags "-X main.release=v1.2.3".
var release string

// version returns what --version prints and the header's first comment says: the release that was built, or the module's version as go install
// knows it, or "devel". The date and the host of a build are no part of it, since the header must not depend on them.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
