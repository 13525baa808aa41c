package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// A program must become the same instructions on the kernel, whether it was
// compiled with the header that is made for it or with the whole one.
func TestSlimRandomPrograms(t *testing.T) {
	clang := clangtest.Newest(t)
	for seed := range uint64(8) {
		target := []string{"bpfel", "bpfeb"}[seed%2]
		t.Run(fmt.Sprint(target, seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 2))
			raw := clang.BTF(t, clangtest.RandomTypes(r), target)
			view, err := btfdump.New(raw)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			kernel, source, header := filepath.Join(dir, "kernel.btf"), filepath.Join(dir, "prog.bpf.c"), filepath.Join(dir, "vmlinux.h")
			write := func(path string, text []byte) {
				if err := os.WriteFile(path, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			// compile compiles the program with the header that btfgen makes.
			compile := func(program string, args ...string) (code []byte, output string) {
				var stderr bytes.Buffer
				if code := run(append(args, "-q", "-i", kernel, header), nil, &stderr, &stderr); code != 0 {
					t.Fatalf("%q: exit code %d: %s\n%s", args, code, &stderr, program)
				}
				text, err := os.ReadFile(header)
				if err != nil {
					t.Fatal(err)
				}
				files := map[string]string{"main.c": program, "vmlinux.h": string(text)}
				object, output, err := clang.Compile(t, files, "-target", target, "-g", "-O2")
				if err != nil {
					return nil, fmt.Sprintf("%v\n%s\n%s\n%s", err, output, program, text)
				}
				return relocated(t, object, view), ""
			}
			write(kernel, raw)
			program := randomProgram(r, view)
			want, output := compile(program)
			for try := 0; want == nil; try++ { // clang crashes on some questions
				if program = randomProgram(r, view); try == 20 {
					t.Fatal(output)
				}
				want, output = compile(program)
			}
			write(source, []byte(program))
			for _, args := range [][]string{{"--for", source}, {"--for", source, "--fields"}} {
				code, output := compile(program, append(args, "--clang", clang.Name)...)
				if !bytes.Equal(code, want) {
					t.Errorf("%q: other instructions\n%s%s", args, output, program)
				}
			}
		})
	}
}

// randomProgram reads members, and asks for members, types and enumerators.
func randomProgram(r *rand.Rand, v *btfdump.View) string {
	var b strings.Builder
	b.WriteString("#include \"vmlinux.h\"\n")
	var records []btfdump.Type
	for t := range v.All() {
		if t.Kind().IsRecord() && t.HasName() && t.NumMembers() > 0 {
			records = append(records, t)
		}
	}
	for i := range 20 {
		t := records[r.IntN(len(records))]
		keyword := "struct"
		if t.Kind() == btfdump.KindUnion {
			keyword = "union"
		}
		path, numeric := randomPath(r, v, t)
		expression := fmt.Sprintf("__builtin_preserve_type_info(*(%s %s *)0, %d)", keyword, t.Name(), r.IntN(2))
		switch n := r.IntN(4); {
		case path == "":
		case n == 0 || !numeric:
			expression = fmt.Sprintf("__builtin_preserve_field_info(p->%s, %d)", path, r.IntN(3))
		default:
			expression = "(long)p->" + path
		}
		fmt.Fprintf(&b, "long f%d(%s %s *p) { return %s; }\n", i, keyword, t.Name(), expression)
	}
	return b.String()
}

// randomPath returns C for a member of a record, or "" if there is none that clang
// relocates, and whether its value can be converted to a number.
func randomPath(r *rand.Rand, v *btfdump.View, t btfdump.Type) (path string, numeric bool) {
	for t.NumMembers() > 0 {
		m := t.Member(r.IntN(t.NumMembers()))
		if m.Name != "" {
			path = strings.TrimPrefix(path+"."+m.Name, ".")
		}
		if first := m.BitOffset % 8; m.BitSize != 0 && first+m.BitSize > 8 {
			return "", false // longer than the alignment that its record may have
		}
		t = v.Type(v.Resolve(m.Type))
		for t.Kind() == btfdump.KindArray {
			if t.ArrayLen() == 0 {
				return "", false // loaders take no element of one that is not at the end
			}
			path += fmt.Sprintf("[%d]", r.IntN(int(t.ArrayLen())))
			if t = v.Type(v.Resolve(t.Ref())); t.Kind() == btfdump.KindArray {
				return "", false // clang forgets a dimension in front of members
			}
		}
		numeric = t.Kind() == btfdump.KindInt || t.Kind().IsEnum() || t.Kind() == btfdump.KindPtr
	}
	return path, numeric
}

// relocated returns an object's instructions as a loader makes them on a kernel.
func relocated(t *testing.T, object string, kernel *btfdump.View) []byte {
	t.Helper()
	raw, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	o, err := core.ReadObject(object, raw)
	if err != nil {
		t.Fatal(err)
	}
	var code []byte
	results := core.NewTarget(kernel).Relocate(o)
	for i := range o.Functions {
		patched, err := o.Patch(i, results)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, core.Encode(patched, binary.LittleEndian)...)
	}
	return code
}
