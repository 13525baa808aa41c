package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/btfgen/btfgen/"

// A rule says what a package and those below it may import, beside the
// standard library. The first rule whose room fits is the package's.
type rule struct {
	room   string
	ours   []string // rooms of ours; "..." stands for all
	theirs []string // modules; "..." stands for all but those that one room owns
}

// rules are the arrows of the architecture: cmd at the top, btfdump on the
// ground, and no sibling imports another but for verify and core, which read
// kernels through source.
var rules = []rule{
	{"cmd/btfgen", []string{"..."}, []string{"...", "github.com/urfave/cli/v2"}},
	{"btfdump/hugepages", nil, nil},
	{"btfdump/internal/elftables", nil, nil},
	{"btfdump/source", []string{"btfdump", "btfdump/hugepages", "btfdump/internal/elftables"}, []string{"..."}},
	{"btfdump/core", []string{"btfdump", "btfdump/source", "btfdump/internal/elftables"}, []string{"..."}},
	{"btfdump/diff", []string{"btfdump"}, nil},
	{"btfdump/dwarf", []string{"btfdump"}, nil},
	{"btfdump", []string{"btfdump/hugepages"}, nil},
	{"cgen/gogen", []string{"btfdump"}, nil},
	{"cgen/verify/internal/llvmir", []string{"btfdump"}, nil},
	{"cgen/verify", []string{"btfdump", "btfdump/core", "btfdump/source", "cgen/verify/internal/llvmir"}, []string{"..."}},
	{"cgen", []string{"btfdump", "btfdump/hugepages"}, nil},
	{"goldens", []string{"btfdump"}, []string{"..."}},
	{"scripts", []string{"..."}, []string{"..."}},
}

// owned are modules that only the rooms whose rules name them may import.
var owned = []string{"github.com/urfave/cli/v2"}

// A goPackage is what this test needs of go list's answer.
type goPackage struct {
	ImportPath string
	Dir        string
	Name       string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Name,GoFiles,Imports", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestImports(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		for _, complaint := range complaints(p) {
			t.Error(complaint)
		}
		seen++
	}
	if seen < 5 {
		t.Errorf("go list knows of only %d packages", seen)
	}
}

// complaints returns what is wrong with a package's imports.
func complaints(p goPackage) []string {
	name := strings.TrimPrefix(p.ImportPath, module)
	i := slices.IndexFunc(rules, func(r rule) bool { return within(name, r.room) })
	if i < 0 {
		return []string{name + ": the table has no room for this package"}
	}
	r := rules[i]
	var wrong []string
	for _, path := range p.Imports {
		if ours, ok := strings.CutPrefix(path, module); ok {
			if !slices.Contains(r.ours, ours) && !slices.Contains(r.ours, "...") && !(within(ours, r.room) && r.room == "goldens") {
				wrong = append(wrong, name+" must not import "+ours)
			}
			continue
		}
		if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
			continue // standard library
		}
		isOwned := slices.ContainsFunc(owned, func(o string) bool { return within(path, o) })
		allowed := slices.ContainsFunc(r.theirs, func(m string) bool { return m == "..." && !isOwned || within(path, m) })
		if !allowed {
			wrong = append(wrong, name+" must not import "+path)
		}
	}
	return wrong
}

func within(path, room string) bool {
	return path == room || strings.HasPrefix(path, room+"/")
}

// The table must catch what it is for.
func TestRulesComplain(t *testing.T) {
	for _, test := range []struct {
		name, path string
		ok         bool
	}{
		{"btfdump", "fmt", true},
		{"btfdump", "github.com/cilium/ebpf/btf", false},
		{"btfdump", module + "cgen", false},
		{"btfdump/source", module + "btfdump", true},
		{"btfdump/source", module + "cgen", false},
		{"btfdump/source", "github.com/urfave/cli/v2", false},
		{"cgen", module + "btfdump", true},
		{"cgen", module + "btfdump/source", false},
		{"cgen", module + "btfdump/hugepages", true},
		{"btfdump/hugepages", module + "btfdump", false},
		{"cgen/verify", module + "btfdump/source", true},
		{"cgen/verify", module + "cgen", false},
		{"cgen/verify", module + "cgen/verify/internal/llvmir", true},
		{"cgen/verify/internal/llvmir", module + "cgen/verify", false},
		{"cmd/btfgen", module + "cgen", true},
		{"cmd/btfgen", "github.com/urfave/cli/v2", true},
		{"scripts/bench", "github.com/urfave/cli/v2", false},
		{"newroom", "fmt", false},
	} {
		got := complaints(goPackage{ImportPath: module + test.name, Imports: []string{test.path}})
		if (len(got) == 0) != test.ok {
			t.Errorf("%s importing %s: got %q, want it to be allowed: %t", test.name, test.path, got, test.ok)
		}
	}
}

// A library that ends the process takes the decision from its caller.
func TestOnlyCommandsExit(t *testing.T) {
	for _, p := range packages(t) {
		if p.Name == "main" {
			continue
		}
		for _, file := range p.GoFiles {
			path := filepath.Join(p.Dir, file)
			fset := token.NewFileSet()
			parsed, err := parser.ParseFile(fset, path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				selector, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if pkg, ok := selector.X.(*ast.Ident); ok && (pkg.Name == "os" && selector.Sel.Name == "Exit" || pkg.Name == "log" && strings.HasPrefix(selector.Sel.Name, "Fatal")) {
					t.Errorf("%v: a package other than a command's must not call %s.%s", fset.Position(n.Pos()), pkg.Name, selector.Sel.Name)
				}
				return true
			})
		}
	}
}
