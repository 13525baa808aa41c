package core_test

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/core"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// compile compiles a program and reads it.
func compile(t testing.TB, c clangtest.Clang, target, program string) *core.Object {
	t.Helper()
	o, err := core.ReadObject("main.o", compileFile(t, c, target, program))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func compileFile(t testing.TB, c clangtest.Clang, target, program string) []byte {
	t.Helper()
	path, output, err := c.Compile(t, map[string]string{"main.c": program}, "-target", target, "-g", "-O2", "-mcpu=v3")
	if err != nil {
		t.Fatalf("%s: %v: %s", c.Name, err, output)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// section is what programs are placed with.
const macros = `
#define SEC(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))
#define KSYM __attribute__((section(".ksyms")))
#define KCONFIG __attribute__((section(".kconfig")))
#define WEAK __attribute__((weak))
#define NOINLINE __attribute__((noinline))
#define exists(field) __builtin_preserve_field_info(field, 2)
typedef unsigned long long u64;
`

const variedProgram = macros + `
struct task { int pid; struct task *parent; } CORE;
char LICENSE[] SEC("license") = "GPL";
int counter;
const volatile int limit = 7;
extern int CONFIG_HZ KCONFIG;
extern int CONFIG_NONE KCONFIG WEAK;
extern void kfunc(struct task *) KSYM;
extern const void variable KSYM WEAK;
static NOINLINE int helper(struct task *t) { return t->parent->pid; }
NOINLINE int global(struct task *t) { return t->pid + counter; }
SEC("kprobe/one") int first(struct task *t) { counter = limit; return helper(t) + CONFIG_HZ + CONFIG_NONE; }
SEC("kprobe/one") int second(struct task *t) { kfunc(t); return global(t) + (&variable != 0); }
SEC("fentry/two") int third(struct task *t) { return exists(t->pid); }
`

func TestReadObject(t *testing.T) {
	for _, c := range clangtest.Compilers(t) {
		for _, target := range []string{"bpfel", "bpfeb"} {
			o := compile(t, c, target, variedProgram)
			if o.License != "GPL" {
				t.Errorf("%s %s: the license is %q", c.Name, target, o.License)
			}
			var got []string
			for i, f := range o.Functions {
				got = append(got, fmt.Sprintf("%s %s program=%t type=%s", f.Section, f.Name, f.Program, o.View.Type(f.Type).Name()))
				if last := f.Code[len(f.Code)-1]; last.Opcode != 0x95 {
					t.Errorf("%s %s: %s ends with opcode %#x", c.Name, target, f.Name, last.Opcode)
				}
				for _, r := range f.References {
					switch r.Kind {
					case core.ReferenceFunction:
						got = append(got, fmt.Sprintf("%s calls %s", f.Name, o.Functions[r.Index].Name))
					case core.ReferenceData:
						got = append(got, fmt.Sprintf("%s uses %s", f.Name, o.Sections[r.Index].Name))
					case core.ReferenceExtern:
						got = append(got, fmt.Sprintf("%s asks for %s", f.Name, o.Externs[r.Index].Name))
					}
				}
				for _, r := range o.Relocations {
					if r.Function == i {
						got = append(got, fmt.Sprintf("%s: %s of %s at %s", f.Name, r.Kind, o.View.Type(r.Type).Name(), r.Access))
						if !strings.Contains(r.Position.Text, "return") || r.Position.Line == 0 {
							t.Errorf("%s %s: %s: the source is %+v", c.Name, target, f.Name, r.Position)
						}
					}
				}
			}
			for _, e := range o.Externs {
				got = append(got, fmt.Sprintf("extern %s kind %d weak=%t type=%s", e.Name, e.Kind, e.Weak, o.View.Type(e.Type).Name()))
			}
			want := []string{
				".text helper program=false type=helper", ".text global program=false type=global",
				"kprobe/one first program=true type=first", "kprobe/one second program=true type=second", "fentry/two third program=true type=third",
				"helper: field byte offset of task at 0:1", "helper: field byte offset of task at 0:0", "global: field byte offset of task at 0:0",
				"third: field exists of task at 0:0", "global uses .bss", "first uses .bss", "first uses .rodata", "first calls helper", "first asks for CONFIG_HZ",
				"first asks for CONFIG_NONE", "second asks for kfunc", "second calls global", "second asks for variable",
				"extern CONFIG_HZ kind 2 weak=false type=CONFIG_HZ", "extern CONFIG_NONE kind 2 weak=true type=CONFIG_NONE",
				"extern kfunc kind 0 weak=false type=kfunc", "extern variable kind 1 weak=true type=variable",
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: read\n%s\nwant\n%s", c.Name, target, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for _, s := range o.Sections {
				if s.Name == ".rodata" && (!s.Constant || len(s.Data) != 4 || o.ByteOrder.Uint32(s.Data) != 7) || s.Name == ".bss" && (s.Constant || s.Data != nil || s.Size != 4) {
					t.Errorf("%s %s: section %+v", c.Name, target, s)
				}
			}
		}
	}
}

// TestReadObjectKeepsInstructions compares with the bytes of the file.
func TestReadObjectKeepsInstructions(t *testing.T) {
	for _, target := range []string{"bpfel", "bpfeb"} {
		raw := compileFile(t, clangtest.Newest(t), target, variedProgram)
		o, err := core.ReadObject("main.o", raw)
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range o.Functions {
			function := &o.Functions[i]
			data, err := f.Section(function.Section).Data()
			if err != nil {
				t.Fatal(err)
			}
			code := core.Encode(function.Code, o.ByteOrder)
			if want := data[function.Offset:][:len(code)]; !slices.Equal(code, want) {
				t.Errorf("%s %s: % x, want % x", target, function.Name, code, want)
			}
		}
	}
}

func TestReadObjectOfOtherFiles(t *testing.T) {
	c := clangtest.Newest(t)
	noBTF, output, err := c.Compile(t, map[string]string{"main.c": "int x;"}, "-target", "bpfel")
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	raw, err := os.ReadFile(noBTF)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"empty": nil, "text": []byte("hello"), "no BTF": raw, "another machine": self} {
		if _, err := core.ReadObject("x.o", raw); !errors.Is(err, core.ErrNotObject) || !strings.HasPrefix(err.Error(), "x.o: ") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// TestReadObjectCut reads every prefix of an object: an error is fine, all else
// is not.
func TestReadObjectCut(t *testing.T) {
	raw := compileFile(t, clangtest.Newest(t), "bpfel", variedProgram)
	for n := range raw {
		if o, err := core.ReadObject("x.o", raw[:n]); err == nil && len(o.Functions) == 0 {
			t.Errorf("%d bytes of %d have no function", n, len(raw))
		}
	}
}
