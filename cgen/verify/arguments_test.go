package verify_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// hostileNames are names of files and directories, each one element of a path.
var hostileNames = []string{
	"@q", "-Dx", "-fplugin=evil.so", "--", "-", "-o", "a\nb", "a\n#include \"secret.h\"\n", "a\"b", "a'b", "a\\b", "a\\\\ b", "\\", "$HOME", "$(touch MARK)", "`touch MARK`",
	"a b", " a", "a ", "%s%n", "%:", "a:b", "a#b", "a;b|c&d", "<a>", "??x", "\u202e", "\x01\x7f", "ü", "\xff\xfe", "a*?[b]", "=a", "~",
}

// plugin builds a library that makes a file called MARK in the directory where it
// is loaded, and returns its path and a function that finds out whether it was.
func plugin(t *testing.T, dir string) (library string, wasLoaded func() bool) {
	t.Helper()
	source, library := filepath.Join(dir, "evil.c"), filepath.Join(dir, "evil.so")
	mark := filepath.Join(dir, "MARK")
	text := "#include <fcntl.h>\n__attribute__((constructor)) static void mark(void) { creat(\"" + mark + "\", 0600); }\n"
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("gcc, which makes the library that must not be loaded: %v\n%s", err, out)
	}
	return library, func() bool {
		_, err := os.Stat(mark)
		os.Remove(mark)
		return err == nil
	}
}

// A header's name, its directory's, and that of the one for temporary files are
// nothing but names.
func TestHostileNames(t *testing.T) {
	view, err := btfdump.New(figures().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	library, wasLoaded := plugin(t, top)
	// Not vacuous: clang does load it where it is told to.
	clang := clangtest.Newest(t).Name
	if exec.Command(clang, "-fplugin="+library, "-fsyntax-only", "-x", "c", os.DevNull).Run(); !wasLoaded() {
		t.Fatal("the library makes no mark when it is loaded")
	}
	// As options, the header's own text would load it.
	options := "//\\\n -Xclang -load -Xclang " + library + "\n"
	for _, name := range hostileNames {
		for _, where := range []string{"header", "directory", "current directory", "TMPDIR"} {
			dir, header, temp := t.TempDir(), "a.h", t.TempDir()
			switch where {
			case "header":
				header = name
			case "directory", "current directory":
				dir = filepath.Join(dir, name)
			case "TMPDIR":
				temp = filepath.Join(temp, name)
			}
			if err := os.MkdirAll(temp, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, header)
			t.Setenv("TMPDIR", temp)
			t.Chdir(dir)
			if where == "current directory" || where == "header" {
				path = header
			}
			if err := os.WriteFile(path, []byte(options+trueFigures), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: clang, Fast: true})
			if err != nil || !r.Holds() {
				t.Errorf("%s %q: %v %+v", where, name, err, r)
			}
			if wasLoaded() {
				t.Errorf("%s %q: a library was loaded", where, name)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("%s %q: %d files are left: %v", where, name, len(left), err)
			}
		}
	}
}

// What a make rule of clang's says of a name is read back.
func TestDependencies(t *testing.T) {
	clang := clangtest.Newest(t).Name
	dir := t.TempDir()
	var want []string
	for _, name := range hostileNames {
		if strings.ContainsAny(name, "\n\"\\") {
			continue // -include can't name it
		}
		name = filepath.Join(dir, name+".h")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	args := []string{"-M", "-MT", "x", "-x", "c", "-"}
	for _, name := range want {
		args = append(args, "-include", name)
	}
	rule, err := exec.Command(clang, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	got := verify.Dependencies(string(rule))
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%q is not among what is read of\n%s", name, rule)
		}
	}
}

func TestDependenciesOfRules(t *testing.T) {
	for rule, want := range map[string][]string{
		"x: a.h b.h\n":               {"a.h", "b.h"},
		"x: a\\ b.h \\\n  c.h\n":     {"a b.h", "c.h"},
		"x: a\\\\\\ b.h\n":           {`a\ b.h`},
		"x: a\\\\b.h\n":              {`a\\b.h`},
		"x: a\\#b.h a$$b.h a:b.h\n":  {"a#b.h", "a$b.h", "a:b.h"},
		"x: a\\\\#b.h\n":             {`a\#b.h`},
		"x:":                         nil,
		"":                           nil,
		"x: a.h \\":                  {"a.h", `\`},
		"x: \\\n a.h \\\n \\\n b.h$": {"a.h", "b.h$"},
	} {
		if got := verify.Dependencies(rule); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", rule, got, want)
		}
	}
}
