package verify_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// Functions that no program can call, with a type that the header only declares, are
// compared, and nothing else is less so for them: clang 22 crashes on their addresses.
func TestUncallableFunctions(t *testing.T) {
	b := btftest.New()
	i := b.Int("int", 4, btftest.Signed)
	far, near := b.FwdStruct("far"), b.Struct("near", 4, btftest.Field("a", i, 0))
	for name, proto := range map[string]btftest.ID{
		"takes_far": b.FuncProto(i, btftest.Arg("x", far)), "takes_near": b.FuncProto(i, btftest.Arg("x", near)), "gives_near": b.FuncProto(near),
		"plain": b.FuncProto(i, btftest.Arg("x", i)),
	} {
		b.DeclTag("bpf_kfunc", b.Func("bpf_"+name, proto, btftest.Static), -1)
	}
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	const records = "struct far; struct near { int a; } __attribute__((preserve_access_index));\n"
	const functions = "int bpf_takes_far(struct far); int bpf_takes_near(struct near); struct near bpf_gives_near(void);\n"
	const plain = "int bpf_plain(int);\n"
	for _, c := range []struct {
		name, text string
		mismatches []string // "type: aspect"; what is absent: "type: absent"
	}{
		{"the truth", records + functions + plain, nil},
		{"another symbol beside it", records + functions + "int bpf_plain(int) __asm__(\"evil\");\n", []string{"function bpf_plain: symbol"}},
		{"another prototype beside it", records + functions + "long bpf_plain(int);\n", []string{"function bpf_plain: type"}},
		{"another prototype of it", records + strings.Replace(functions, "int bpf_takes_far", "long bpf_takes_far", 1) + plain, []string{"function bpf_takes_far: type"}},
		{"a record of the kernel's that is only declared", "struct far; struct near;\n" + functions + plain, []string{"struct near: absent"}},
		{"a record of its own", records + "struct mine;\n" + strings.Replace(functions, "takes_near(struct near", "takes_near(struct mine", 1) + plain, []string{"function bpf_takes_near: type"}},
	} {
		path := filepath.Join(t.TempDir(), "a.h")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := verify.Header(context.Background(), path, view, nil, verify.Options{Clang: clangtest.Newest(t).Name})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var have []string
		for _, m := range r.Mismatches {
			have = append(have, m.Type+": "+string(m.Aspect))
		}
		for _, name := range r.Absent {
			have = append(have, name+": absent")
		}
		if !slices.Equal(have, c.mismatches) || len(r.Errors) > 0 {
			t.Errorf("%s: %q, want %q, errors %q", c.name, have, c.mismatches, r.Errors)
		}
	}
}
