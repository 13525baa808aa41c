package verify_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// A header reads what lies beside it and what the compiler and its flags offer,
// and no word of any other file gets into a report.
func TestWhatHeadersRead(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	dir, other := filepath.Join(top, "foreign"), filepath.Join(top, "other")
	for name, text := range map[string]string{
		"secret.h": "TOPSECRET of the user's\n", "secret.txt": "#define WORD TOPSECRET\n#error TOPSECRET\n", "true.h": trueFigures, "foreign/secret": "#error TOPSECRET\n",
		"foreign/beside.h": trueFigures, "foreign/below/true.h": trueFigures, "foreign/below/up.h": "#include \"../beside.h\"\n", "other/true.h": trueFigures,
	} {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link.h": "../secret.h", "up": "..", "inside.h": "beside.h"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	asm := func(text string) string { return trueFigures + "__asm__(" + text + ");\n" }
	for _, c := range []struct {
		name, text string
		flags      []string
		holds      bool
		reads      string // what the error says
		newest     bool   // clang 19 and later only
	}{
		{name: "beside", text: "#include \"beside.h\"\n", holds: true},
		{name: "below", text: "#include \"below/true.h\"\n", holds: true},
		{name: "below and up", text: "#include \"below/up.h\"\n", holds: true},
		{name: "link inside", text: "#include \"inside.h\"\n", holds: true},
		{name: "compiler's own", text: "#include <stddef.h>\n" + trueFigures, holds: true},
		{name: "by flag", text: "#include \"true.h\"\n", flags: []string{"-I", other}, holds: true},
		{name: "by joined flag", text: "#include <true.h>\n", flags: []string{"-isystem" + other}, holds: true},
		{name: "included by flag", text: "\n", flags: []string{"-include", filepath.Join(top, "true.h")}, holds: true},
		{name: "BPF assembly", text: asm("\"r0 = 0\\n\\t.byte 1\""), holds: true},
		{name: "a label", text: trueFigures + "extern int other __asm__(\"name\");\n", holds: true},

		{name: "above", text: "#include \"../secret.h\"\n" + trueFigures, reads: "secret.h"},
		{name: "absolute", text: "#include \"" + top + "/secret.h\"\n", reads: "secret.h"},
		{name: "absolute, true", text: "#include \"" + top + "/true.h\"\n", reads: "true.h"},
		{name: "by a macro", text: "#define H \"../secret.h\"\n#include H\n", reads: "secret.h"},
		{name: "through a link", text: "#include \"link.h\"\n", reads: "link.h"},
		{name: "through a directory", text: "#include \"up/secret.h\"\n", reads: "up/secret.h"},
		{name: "no header", text: "#include \"secret\"\n", reads: "foreign/secret"},
		{name: "that then fails", text: "#include \"../secret.txt\"\n#include WORD\n", reads: "secret.txt"},
		{name: "that is quoted in an error", text: "#include \"../secret.h\"\n#define S(x) #x\n#include S(WORD)\n", reads: "secret.h"},
		{name: "system", text: "#include <../../../../../../../../../../../../.." + top + "/secret.h>\n", reads: "secret.h"},
		{name: "import", text: "#import \"../secret.h\"\n", reads: "secret.h"},
		{name: "include_next", text: "#include_next \"../secret.h\"\n", reads: "secret.h"},
		{name: "is there", text: "#if __has_include(\"" + top + "/secret.h\")\n" + trueFigures + "#endif\n", reads: "secret.h"},
		{name: "other lines", text: "#line 1 \"beside.h\"\n#include \"../secret.h\"\n", reads: "secret.h"},
		{name: "a system header", text: "#pragma GCC system_header\n#include \"../secret.h\"\n", reads: "secret.h"},
		{name: "a device", text: "#include \"/dev/null\"\n" + trueFigures, reads: "/dev/null"},
		{name: "embed", newest: true, text: trueFigures + "static const char data[] = {\n#embed \"../secret.h\"\n};\n", reads: "secret.h"},
		{name: "embed beside", newest: true, text: trueFigures + "static const char data[] = {\n#embed \"secret\"\n};\n", reads: "foreign/secret"},
		{name: "could be embedded", newest: true, text: "#if __has_embed(\"../secret.h\")\n" + trueFigures + "#endif\n", reads: "secret.h"},

		{name: "incbin", text: asm("\".incbin \\\"" + top + "/secret.h\\\"\""), reads: ".incbin"},
		{name: "include of assembly", text: asm("\".include \\\"" + top + "/secret.txt\\\"\""), reads: ".include"},
		{name: "in parts", text: asm("\".inc\" \"bin \\\"" + top + "/secret.h\\\"\""), reads: ".inc"},
		{name: "by a macro of assembly", text: asm("\".macro m a\\n.\\\\a \\\"" + top + "/secret.h\\\"\\n.endm\\nm incbin\""), reads: ".macro"},
		{name: "escaped", text: asm("\"\\x2eincbin \\\"\" \"/secret\\\"\""), reads: `\\x`},
		{name: "octal", text: asm("\"\\056incbin \\\"\" \"/secret\\\"\""), reads: `\\0`},
		{name: "raw", text: asm("R\"(\x2eincbin \"" + top + "/secret.h\")\""), reads: ".incbin"},
		{name: "in a function", text: trueFigures + "__attribute__((used)) static void f(void) { asm volatile(\".incbin \\\"" + top + "/secret.h\\\"\"); }\n", reads: ".incbin"},
		{name: "in two lines", text: trueFigures + "#define B(x) x\n__as" + "B(\\)\nm__(\".incbin \\\"" + top + "/secret.h\\\"\");\n"},
		{name: "by a spliced word", text: trueFigures + "#define B(x) x\nint y; __as\\\nm__(\".incbin \\\"" + top + "/secret.h\\\"\");\n", reads: ".incbin"},
		{name: "a spliced directive", text: trueFigures + "#define B(x) x\n%B(\\)\n:define sizeof(x) 8\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "a.h")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			all := clangtest.Compilers(t)
			for _, compiler := range []clangtest.Clang{all[0], all[len(all)-1]} {
				if c.newest && compiler.Major < 19 {
					continue
				}
				r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: compiler.Name, Flags: c.flags, Fast: true})
				if err != nil {
					t.Fatal(err)
				}
				said := strings.Join(r.Errors, "\n")
				if r.Holds() != c.holds || !strings.Contains(said, c.reads) {
					t.Errorf("%s: holds: %v, want %v\n%q\n%s", compiler.Name, r.Holds(), c.holds, r.Errors, outline(r))
				}
				if strings.Contains(said, "TOPSECRET") {
					t.Errorf("%s: the report shows what is in the file: %q", compiler.Name, r.Errors)
				}
			}
		})
	}
}

// What a user has set for other compiles does not change what a header is.
func TestEnvironment(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a.h")
	for name, text := range map[string]string{
		"a.h": "#include <stddef.h>\n#ifdef FALSE\n" + falsePoint + "#else\n" + trueFigures + "#endif\n", "include/stddef.h": "#define FALSE\n", "clang.cfg": "-DFALSE\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, "include"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{
		"CPATH": filepath.Join(dir, "include"), "C_INCLUDE_PATH": filepath.Join(dir, "include"), "CCC_OVERRIDE_OPTIONS": "+-DFALSE", "CLANG_CONFIG_FILE_USER_DIR": dir,
		"DEPENDENCIES_OUTPUT": filepath.Join(dir, "written"), "CC_PRINT_OPTIONS": "1", "CC_PRINT_HEADERS": "1",
	} {
		t.Setenv(name, value)
	}
	for _, compiler := range clangtest.Compilers(t) {
		r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: compiler.Name, Fast: true})
		if err != nil || !r.Holds() {
			t.Errorf("%s: %v %+v", compiler.Name, err, r)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "written")); err == nil {
		t.Error("clang wrote a file that a variable names")
	}
}

// What a wrapper starts ends with it.
func TestProcessGroup(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, wrapper, started := filepath.Join(dir, "a.h"), filepath.Join(dir, "clang"), filepath.Join(dir, "started")
	// The child ignores every signal that can be ignored.
	script := "#!/bin/sh\nsh -c 'trap \"\" INT TERM HUP; echo $$ >" + started + ".new; mv " + started + ".new " + started + "; while :; do sleep 0.1; done' &\nwait\n"
	for name, text := range map[string]string{path: trueFigures, wrapper: script} {
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for {
			if _, err := os.Stat(started); err == nil {
				cancel()
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if _, err := verify.Header(ctx, path, view, nil, verify.Options{Clang: wrapper}); err != context.Canceled {
		t.Fatalf("the error is %v", err)
	}
	number, err := os.ReadFile(started)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); isAlive(strings.TrimSpace(string(number))); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %s goes on", number)
		}
	}
}

// isAlive reports whether a process runs, as Linux tells.
func isAlive(pid string) bool {
	status, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(status), ") Z ")
}
