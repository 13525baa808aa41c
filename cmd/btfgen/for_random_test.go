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
// compiled with the header that is made for it or with the whole one, and whether
// the kernel's BTF is whole or what is made for the program.
func TestForRandomPrograms(t *testing.T) {
	clang := clangtest.AtLeast(t, 16, "14 can't compile some of these programs, and has other values than the types in relocations of unsigned enums")
	for seed := range uint64(8) {
		target := []string{"bpfel", "bpfeb"}[seed%2]
		t.Run(fmt.Sprint(target, seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 2))
			raw := clang.BTF(t, clangtest.RandomTypes(r), target, "-w")
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
			generate := func(args ...string) {
				var stderr bytes.Buffer
				if code := run(append(args, "-q", "-i", kernel), nil, &stderr, &stderr); code != 0 {
					t.Fatalf("%q: exit code %d: %s", args, code, &stderr)
				}
			}
			// compile compiles the program with the header that btfgen has made.
			compile := func(program string) (object, output string, err error) {
				text, err := os.ReadFile(header)
				if err != nil {
					t.Fatal(err)
				}
				files := map[string]string{"main.c": program, "vmlinux.h": string(text)}
				return clang.Compile(t, files, "-target", target, "-g", "-O2")
			}
			write(kernel, raw)
			generate(header)
			program := randomProgram(r, view)
			object, output, err := compile(program)
			for try := 0; err != nil; try++ { // clang crashes on some questions
				if program = randomProgram(r, view); try == 20 {
					t.Fatal(err, output)
				}
				object, output, err = compile(program)
			}
			t.Log(program)
			want := relocated(t, object, raw)
			write(source, []byte(program))
			for _, args := range [][]string{{"--for", source}, {"--for", source, "--fields"}} {
				generate(append(args, "--clang", clang.Name, header)...)
				slim, output, err := compile(program)
				if err != nil {
					t.Fatalf("%q: %v\n%s", args, err, output)
				}
				if !bytes.Equal(relocated(t, slim, raw), want) {
					t.Errorf("%q: other instructions", args)
				}
			}
			minimal := filepath.Join(dir, "min.btf")
			generate("--for", object, minimal)
			small, err := os.ReadFile(minimal)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(relocated(t, object, small), want) {
				t.Error("other instructions with the minimal BTF")
			}
		})
	}
}

// randomProgram reads members, and asks for members, types and enumerators.
func randomProgram(r *rand.Rand, v *btfdump.View) string {
	var b strings.Builder
	b.WriteString("#include \"vmlinux.h\"\n")
	var records, enums []btfdump.Type
	for t := range v.All() {
		switch {
		case t.Kind().IsRecord() && t.HasName() && t.NumMembers() > 0:
			records = append(records, t)
		case t.Kind().IsEnum() && t.HasName():
			enums = append(enums, t)
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
		switch n := r.IntN(5); {
		case n == 4 && len(enums) > 0:
			e := enums[r.IntN(len(enums))]
			value := e.Enumerator(r.IntN(e.NumEnumerators()))
			expression = fmt.Sprintf("__builtin_preserve_enum_value(*(enum %s *)%s, %d)", e.Name(), value.Name, r.IntN(2))
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
func relocated(t *testing.T, object string, kernel []byte) []byte {
	t.Helper()
	view, err := btfdump.New(kernel)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	o, err := core.ReadObject(object, raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Relocations) == 0 {
		t.Fatal("there is nothing to relocate")
	}
	var code []byte
	results := core.NewTarget(view).Relocate(o)
	for i := range o.Functions {
		patched, err := o.Patch(i, results)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, core.Encode(patched, binary.LittleEndian)...)
	}
	return code
}
