package gogen_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// A randomMember is a number in a record, as C knows it.
type randomMember struct {
	record, name string // "struct s", "m"
	pointer      bool
	value        int64 // as C extends it to 64 bits
}

// Go must read from a record what C has put into a member, and write the bytes
// that C writes: for records of random types, on machines of both byte orders.
func TestRandomValues(t *testing.T) {
	for seed := range uint64(4) {
		bpf, machine := "bpfel", "x86_64-linux-gnu"
		if seed%2 == 1 {
			bpf, machine = "bpfeb", "powerpc64-linux-gnu"
		}
		t.Run(fmt.Sprint(bpf, seed), func(t *testing.T) {
			t.Parallel()
			clang, r := clangtest.Newest(t), rand.New(rand.NewPCG(seed, 3))
			source := clangtest.RandomTypes(r)
			v := view(t, clang.BTF(t, source, bpf, "-w"))
			code := string(generate(t, v, nil, gogen.Options{Package: "main"}))
			var members []randomMember
			for record := range v.AllOf(btfdump.KindStruct, btfdump.KindUnion) {
				if record.HasName() && record.Size() > 0 {
					members = appendNumbers(members, r, v, record, record.Kind().String()+" "+record.Name())
				}
			}
			var c strings.Builder
			c.WriteString(source)
			for i, m := range members {
				cast := "(long long)"
				if m.pointer {
					cast = "(void *)"
				}
				fmt.Fprintf(&c, "%s v%d = { .%s = %s%#xULL };\n", m.record, i, m.name, cast, uint64(m.value))
			}
			object, output, err := clang.Compile(t, map[string]string{"main.c": c.String()}, "-target", machine, "-w", "-fno-zero-initialized-in-bss")
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, output, &c)
			}
			if len(members) < 5 {
				t.Errorf("there are only %d members", len(members))
			}
			if out := runMembers(t, code, members, variables(t, object)); out != "" {
				t.Errorf("%s\n%s\n%s", out, &c, code)
			}
		})
	}
}

// appendNumbers appends the members of a record, and of those without a name in
// it, that are numbers of up to 64 bits, with a value for each.
func appendNumbers(list []randomMember, r *rand.Rand, v *btfdump.View, t btfdump.Type, record string) []randomMember {
	for _, m := range t.Members() {
		number := v.Type(v.Resolve(m.Type))
		k := number.Kind()
		switch isInt := k == btfdump.KindInt && number.Size() <= 8; {
		case m.Name == "" && k.IsRecord():
			list = appendNumbers(list, r, v, number, record)
		case m.Name != "" && (isInt || k.IsEnum() || k == btfdump.KindPtr):
			bits := uint(8 * number.Size())
			switch {
			case k == btfdump.KindPtr:
				bits = 64
			case isInt && number.IntEncoding()&btfdump.IntBool != 0:
				bits = 1
			case m.BitSize != 0:
				bits = uint(m.BitSize)
			}
			value := int64(r.Uint64() << (64 - bits)) // then the sign, or zeros, come back
			if number.Signed() {
				value >>= 64 - bits
			} else {
				value = int64(uint64(value) >> (64 - bits))
			}
			list = append(list, randomMember{record, m.Name, k == btfdump.KindPtr, value})
		}
	}
	return list
}

var (
	goRecord = regexp.MustCompile(`(?m)^// (\w+) is ((?:struct|union) \w+), \d+ bytes?\.$`)
	goStruct = regexp.MustCompile(`(?ms)^type (\w+) struct \{\n(.*?)^\}`)
	goField  = regexp.MustCompile(`(?m)^\t(\w+) +(\S.*?) +// offset \d+, (\w+): `)
	goGetter = regexp.MustCompile(`(?m)^// \w+ returns (?:the bitfield )?(\w+), .*\nfunc \(x \*?(\w+)\) (\w+)\(\) (\S+) \{`)
)

// runMembers runs a Go program that reads and writes the members, and returns
// what it finds wrong.
func runMembers(t *testing.T, code string, members []randomMember, data map[string][]byte) string {
	t.Helper()
	record := make(map[string]string) // Go's name for C's
	for _, m := range goRecord.FindAllStringSubmatch(code, -1) {
		record[m[2]] = m[1]
	}
	type access struct{ get, set, typ string }
	accesses := make(map[string]access) // by the Go record and the C member
	for _, s := range goStruct.FindAllStringSubmatch(code, -1) {
		for _, f := range goField.FindAllStringSubmatch(s[2], -1) {
			accesses[s[1]+" "+f[3]] = access{"x." + f[1], "x." + f[1] + " = ", f[2]}
		}
	}
	for _, m := range goGetter.FindAllStringSubmatch(code, -1) {
		accesses[m[2]+" "+m[1]] = access{"x." + m[3] + "()", "x.Set" + m[3], m[4]}
	}
	var main strings.Builder
	main.WriteString(`package main

import ("bytes"; "fmt")

func number(v bool) int64 { if v { return 1 }; return 0 }

func main() {
`)
	for i, m := range members {
		a, ok := accesses[record[m.record]+" "+m.name]
		if !ok {
			t.Fatalf("Go has no %s in %s:\n%s", m.name, m.record, code)
		}
		get, value := "int64("+a.get+")", a.typ+"(v)"
		if a.typ == "bool" {
			get, value = "number("+a.get+")", "v != 0"
		}
		fmt.Fprintf(&main, `{
	data, v := %#v, int64(%d)
	var x %s
	if err := x.UnmarshalBinary(data); err != nil { fmt.Println(err) }
	if got := %s; got != v { fmt.Println("%s.%s: Go reads", got, "C wrote", v) }
	x = %s{}
	%s(%s)
	if got, err := x.MarshalBinary(); !bytes.Equal(got, data) { fmt.Println("%s.%s: Go writes", got, "C", data, err) }
}
`, data[fmt.Sprint("v", i)], m.value, record[m.record], get, m.record, m.name, record[m.record], a.set, value, m.record, m.name)
	}
	main.WriteString("}\n")
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module values\n\ngo 1.24\n", "types.go": code, "main.go": main.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, &main)
	}
	return string(out)
}
