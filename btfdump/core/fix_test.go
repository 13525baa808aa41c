package core_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/core"
)

const fixOld = `
struct timespec64 { long long tv_sec; long tv_nsec; };
struct inode { long i_ino; struct timespec64 i_ctime; char i_name[16]; unsigned i_flag : 3; };
struct inner { int depth; }; struct outer { int depth; int level; struct inner *in; unsigned long gone; union { int a; long b; } u; void *link; };
struct typed { int number; int list[4]; };
enum colour { RED, GREEN };
struct inode *i; struct outer *o; struct inner *n; struct typed *t; enum colour c;
`

const fixNew = `
struct inode { long i_ino; long long i_ctime_sec; unsigned i_ctime_nsec; char __i_name[16]; unsigned _i_flag : 5; };
struct inner { int depth; }; struct outer { struct { struct { int level; } deep; int depth; } moved; struct inner *in; union { int a; long __b; } u; void *links; };
struct typed { long long *number; int list[2]; };
enum colour { RED };
struct inode *i; struct outer *o; struct inner *n; struct typed *t; enum colour c;
`

const fixTypes = `
struct timespec64 { long long tv_sec; long tv_nsec; } CORE;
struct inode { long i_ino; struct timespec64 i_ctime; char i_name[16]; unsigned i_flag : 3; } CORE;
struct inner { int depth; } CORE; struct outer { int depth; int level; struct inner *in; unsigned long gone; union { int a; long b; } u; void *link; } CORE;
struct typed { int number; int list[4]; } CORE;
enum colour { RED, GREEN };
volatile long sink;
`

// TestFixes puts the code that is suggested in the place of what fails, and sees
// whether it then runs.
func TestFixes(t *testing.T) {
	kernels := []*core.Kernel{kernelOf(t, "6.1", fixOld), kernelOf(t, "6.12", fixNew)}
	for _, c := range []struct {
		name, record, access string
		call                 string // of the function that is suggested
		want                 string // part of the code
		instead              string
	}{
		{"member of a member that became one of the record", "inode", "BPF_CORE_READ(p, i_ctime.tv_sec)", "inode_tv_sec(p)", "return BPF_CORE_READ(alt, i_ctime_sec);", "i_ctime_sec (long long): its name is like i_ctime_tv_sec"},
		{"underscores", "inode", "p->i_name[0]", "(long)inode_i_name(p)", "char __i_name[16];", ""},
		{"bitfield", "inode", "BPF_CORE_READ_BITFIELD_PROBED(p, i_flag)", "inode_i_flag(p)", "BPF_CORE_READ_BITFIELD_PROBED(alt, _i_flag)", "_i_flag (unsigned int): its name is the same but for underscores"},
		{"moved", "outer", "BPF_CORE_READ(p, depth)", "outer_depth(p)", "return BPF_CORE_READ(alt, moved.depth);", "moved.depth (int): it has moved into moved"},
		{"moved far", "outer", "BPF_CORE_READ(p, level)", "outer_level(p)", "return BPF_CORE_READ(alt, moved.deep.level);", "moved.deep.level (int): it has moved into deep"},
		{"in a union", "outer", "BPF_CORE_READ(p, u.b)", "outer_b(p)", "return BPF_CORE_READ(alt, u.__b);", "__b (long): its name is the same but for underscores"},
		{"pointer, like name", "outer", "(long)BPF_CORE_READ(p, link)", "(long)outer_link(p)", "return BPF_CORE_READ(alt, links);", "links (void *): its name is like it"},
		{"nothing like it", "outer", "BPF_CORE_READ(p, gone)", "outer_gone(p)", "return 0; /*", ""},
		{"another type", "typed", "BPF_CORE_READ(p, number)", "(long)typed_number(p)", "void *number;", "number (long long *): it has another type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := func(before, access string) *core.Object {
				return compileC(t, programPrelude+fixTypes+before+"\nSEC(\"xdp\") int prog(void *ctx)\n{\n\tstruct "+c.record+" *p = (void *)bpf_get_current_task();\n\tsink = "+access+";\n\treturn 0;\n}\n", "-Wall", "-Werror", "-Wno-unused-variable")
			}
			report := core.Check([]*core.Object{program("", c.access)}, kernels...)
			if v := report.Kernels[0].Programs[0].Verdict; v != core.Runs {
				t.Fatalf("on the old kernel: %s\n%s", v, describe(&report.Kernels[0].Programs[0]))
			}
			p := &report.Kernels[1].Programs[0]
			if p.Verdict != core.Fails {
				t.Fatalf("on the new kernel: %s\n%s", p.Verdict, describe(p))
			}
			f := p.Findings[0]
			if !strings.Contains(f.Fix, c.want) {
				t.Errorf("want %q in the fix, got\n%s\n%s", c.want, f.Fix, describe(p))
			}
			if !strings.Contains(strings.Join(f.Instead, "\n"), c.instead) {
				t.Errorf("want %q, got %q", c.instead, f.Instead)
			}
			if f.Fix == "" {
				t.Fatal("there is no fix")
			}
			fixed := core.Check([]*core.Object{program(f.Fix, c.call)}, kernels...)
			for i := range fixed.Kernels {
				if p := &fixed.Kernels[i].Programs[0]; p.Verdict > core.Degraded {
					t.Errorf("with the fix, on %s: %s\n%s\n%s", fixed.Kernels[i].Kernel, p.Verdict, describe(p), f.Fix)
				}
			}
		})
	}
}

// The fix for an enumerator asks for it.
func TestFixOfEnumerator(t *testing.T) {
	kernel := kernelOf(t, "6.12", fixNew)
	program := func(before, access string) *core.Object {
		return compileC(t, programPrelude+fixTypes+before+"\nSEC(\"xdp\") int prog(void *ctx)\n{\n\tsink = "+access+";\n\treturn 0;\n}\n")
	}
	p := &core.Check([]*core.Object{program("", "bpf_core_enum_value(enum colour, GREEN)")}, kernel).Kernels[0].Programs[0]
	if p.Verdict != core.Fails || !strings.Contains(p.Findings[0].Fix, "bpf_core_enum_value_exists(enum colour, GREEN)") {
		t.Fatalf("%s\n%s\n%s", p.Verdict, describe(p), p.Findings[0].Fix)
	}
	if r := core.Check([]*core.Object{program(p.Findings[0].Fix, "value_of_GREEN()")}, kernel); !r.OK() {
		t.Error(r)
	}
}

// A name that can't stand in C is in no fix, though the kernel lets members of
// an object be called so.
func TestFixSpellsOnlyIdentifiers(t *testing.T) {
	_, raw := compileCRaw(t, programPrelude+strings.ReplaceAll(fixTypes, "i_name", "i_nameZ")+"\nSEC(\"xdp\") int prog(void *ctx)\n{\n\tstruct inode *p = (void *)bpf_get_current_task();\n\tsink = p->i_nameZ[0];\n\treturn 0;\n}\n")
	for _, name := range []string{"i_name_", "i_name\xef", "i_name;", "i_name\n"} {
		o, err := core.ReadObject("main.o", bytes.ReplaceAll(raw, []byte("\x00i_nameZ\x00"), []byte("\x00"+name+"\x00")))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		p := &core.Check([]*core.Object{o}, kernelOf(t, "6.12", fixNew)).Kernels[0].Programs[0]
		if p.Verdict != core.Fails || len(p.Findings) == 0 {
			t.Fatalf("%q: %s\n%s", name, p.Verdict, describe(p))
		}
		f := p.Findings[0]
		if hasFix := f.Fix != ""; hasFix != (name == "i_name_") {
			t.Errorf("%q: the fix is %q", name, f.Fix)
		}
		for _, text := range append(f.Instead, f.Reason, f.Name) {
			if name != "i_name_" && strings.Contains(strings.ReplaceAll(text, strconv.Quote(name), ""), name) {
				t.Errorf("%q stands unquoted in %q", name, text)
			}
		}
	}
}
