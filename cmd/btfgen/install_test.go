package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// make install puts the command, a man page for each of its commands and its
// completions where a distribution has them, and make uninstall takes all of
// it away.
func TestMakeInstall(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "with space")
	// Environment as of "make test": flags of that make are not for this one.
	make := func(target string) {
		t.Helper()
		cmd := exec.Command("make", "-C", "../..", target, "DESTDIR="+dest, "PREFIX=/usr")
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS") })
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v\n%s", target, err, out)
		}
	}
	make("install")
	want := map[string]fs.FileMode{
		"usr/bin/btfgen": 0o755, "usr/share/man/man1/btfgen.1": 0o644,
		"usr/share/bash-completion/completions/btfgen":    0o644,
		"usr/share/zsh/site-functions/_btfgen":            0o644,
		"usr/share/fish/vendor_completions.d/btfgen.fish": 0o644,
	}
	for _, command := range newApp().VisibleCommands() {
		want["usr/share/man/man1/btfgen-"+command.Name+".1"] = 0o644
	}
	got := map[string]fs.FileMode{}
	files := func() {
		clear(got)
		err := fs.WalkDir(os.DirFS(dest), ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				var info fs.FileInfo
				if info, err = d.Info(); err == nil {
					got[path] = info.Mode()
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	files()
	for path, mode := range want {
		if got[path] != mode {
			t.Errorf("%s: got the mode %v, want %v", path, got[path], mode)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got the files %v, want %v", got, want)
	}
	installed := func(path string) []byte {
		data, err := os.ReadFile(filepath.Join(dest, path))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	out, err := exec.Command(filepath.Join(dest, "usr/bin/btfgen"), "--version").Output()
	built, ok := strings.CutPrefix(strings.TrimSuffix(string(out), "\n"), "btfgen ")
	if err != nil || !ok || built == "" {
		t.Errorf("the installed command prints %q (%v)", out, err)
	}
	for path, args := range map[string][]string{
		"usr/share/man/man1/btfgen-check.1":               {"man", "check"},
		"usr/share/bash-completion/completions/btfgen":    {"completion", "bash"},
		"usr/share/fish/vendor_completions.d/btfgen.fish": {"completion", "fish"},
	} {
		var out bytes.Buffer
		run(args, nil, &out, io.Discard)
		// In a clone, Go gives a build the version that git tells, and a test none.
		want := strings.Replace(out.String(), roff("btfgen "+version()), roff("btfgen "+built), 1)
		if string(installed(path)) != want {
			t.Errorf("%s is not what btfgen %q prints", path, args)
		}
	}
	// zsh finds the function by its file's name, and calls it in that way.
	zsh := exec.Command("zsh", "-f", "-c", `fpath=($1 $fpath); autoload -Uz compinit; compinit -u -D; print -r -- ${_comps[btfgen]}`, "zsh", filepath.Join(dest, "usr/share/zsh/site-functions"))
	if out, err := zsh.CombinedOutput(); err != nil || string(out) != "_btfgen\n" {
		t.Errorf("zsh completes btfgen by %q (%v)", out, err)
	}

	make("uninstall")
	if files(); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
}
