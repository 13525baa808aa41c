package goldens_test

import (
	"strings"
	"testing"

	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// Text from the BTF must not get into the header.
func TestHostileNamesAreRefused(t *testing.T) {
	for name, build := range map[string]func(b *btftest.Builder, s string){
		"struct": func(b *btftest.Builder, s string) { b.Struct(s, 0) },
		"member": func(b *btftest.Builder, s string) {
			b.Struct("holder", 4, at(s, b.Int("int", 4, btftest.Signed), 0))
		},
		"typedef":    func(b *btftest.Builder, s string) { b.Typedef(s, b.Int("int", 4, btftest.Signed)) },
		"enum":       func(b *btftest.Builder, s string) { b.Enum(s, 4, btftest.Val("A", 1)) },
		"enumerator": func(b *btftest.Builder, s string) { b.Enum("holder", 4, btftest.Val(s, 1)) },
		"kfunc": func(b *btftest.Builder, s string) {
			b.DeclTag("bpf_kfunc", b.Func(s, b.FuncProto(btftest.Void), 0), -1)
		},
		"forward declaration": func(b *btftest.Builder, s string) { b.FwdStruct(s) },
	} {
		for _, s := range []string{"x; } evil", "a\nb", "1digit", "quo\"te", "x-y", "ü", "#define"} {
			b := btftest.New()
			build(b, s)
			v := readView(t, b.Bytes())
			p, err := cgen.NewPlan(v, nil, cgen.Options{Kfuncs: true})
			var text []byte
			if err == nil {
				text, err = p.Print()
			}
			if err == nil && strings.Contains(string(text), s) {
				t.Errorf("%s called %q: it is in the header", name, s)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "type ")) {
				t.Errorf("%s called %q: the error is %q", name, s, err)
			}
		}
	}
}

// What nests as deeply as cgen lets it is still taken by every compiler, and
// compared in a time that does not double with each level.
func TestDeepestNestingHolds(t *testing.T) {
	const deepest = 120 // cgen's maxNesting
	b := btftest.New()
	inner := b.Struct("", 4, at("x", b.Int("int", 4, btftest.Signed), 0))
	direct := inner
	callback := b.Ptr(btftest.Void)
	for range deepest - 1 {
		inner = b.Struct("", 4, at("m", inner, 0))
		direct = b.Struct("", 4, at("", direct, 0))
		callback = b.Ptr(b.FuncProto(btftest.Void, btftest.Arg("", callback)))
	}
	b.Struct("named", 4, at("m", inner, 0))
	b.Struct("unnamed", 4, at("", direct, 0))
	b.Typedef("callback", callback)
	v := readView(t, b.Bytes())
	_, text := header(t, v, cgen.Options{NoProvenance: true})
	compileEverywhere(t, v, text, "")
	mustHold(t, v, text)
}
