package source

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// noKernel is a machine whose kernel shows no BTF.
func noKernel(t *testing.T) liveKernel {
	dir := t.TempDir()
	return liveKernel{btf: dir + "/btf", osrelease: dir + "/osrelease"}
}

// A module as input finds its base: the one given, the one in the tree around
// it, the running kernel's.
func TestBaseOfModule(t *testing.T) {
	kernel, module := btftest.Corpus(t, "amd64-7.2-cloud"), btftest.Corpus(t, "amd64-7.2-cloud.veth")
	dir := t.TempDir()
	const release = "6.12.9-test" // that of kernelELF
	tree := "root/lib/modules/" + release
	given := write(t, dir, "vmlinux.btf", kernel)
	alone := write(t, dir, "alone/veth.btf", module)
	inTree := write(t, dir, tree+"/kernel/drivers/net/veth.ko.xz", pack(t, moduleELF("veth", release, module), "xz", "-c"))
	write(t, dir, "root/boot/vmlinuz-"+release, bzImage(kernelPayload(t, kernelELF(kernel), "zstd", []string{"zstd", "-c", "-q"})))
	live := noKernel(t)

	running := newTestKernel(t).live
	for _, test := range []struct {
		name, input string
		opts        Options
		live        liveKernel
		fails       string
	}{
		{"given", alone, Options{Base: given}, live, ""},
		{"in the tree", inTree, Options{}, live, ""},
		{"in the tree, and given", inTree, Options{Base: given}, live, ""},
		{"not at hand", alone, Options{}, live, "--base"},
		{"the running one does not fit", alone, Options{}, running, "--base"},
		{"a base that does not fit", alone, Options{Base: write(t, dir, "small.btf", smallBTF())}, live, "that very kernel build"},
		{"a base with a few strings more", alone, Options{Base: write(t, dir, "longer.btf", longerStrings(t, kernel))}, live, "its base is a different one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := open(test.input, nil, test.opts, test.live)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("got the error %v, want %q in it", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.View.Raw(), module) || got.View.Base() == nil || !bytes.Equal(got.View.Base().Raw(), kernel) {
				t.Error("got other types than the module's on the kernel's")
			}
			if !slices.Equal(got.Modules, []string{"veth"}) {
				t.Errorf("got the modules %q", got.Modules)
			}
		})
	}

	// The running kernel fits if it is the module's.
	write(t, dir, "btf/vmlinux", kernel)
	got, err := open(alone, nil, Options{}, liveKernel{btf: dir + "/btf", osrelease: dir + "/none"})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.View.Raw(), module) {
		t.Error("got other types than the module's")
	}
}

// longerStrings returns BTF with eight more bytes of strings: what is split from
// the original then reads names that are off by eight.
func longerStrings(t *testing.T, raw []byte) []byte {
	t.Helper()
	le := binary.LittleEndian
	longer := append(bytes.Clone(raw), "_seven_\x00"...)
	if int(le.Uint32(raw[4:])+le.Uint32(raw[16:])+le.Uint32(raw[20:])) != len(raw) {
		t.Fatal("the strings are not the last section")
	}
	le.PutUint32(longer[20:], le.Uint32(raw[20:])+8)
	return longer
}

// A module that repeats types of its base yields each once (Debian's modules of
// 7.2 do).
func TestModuleThatRepeatsTypes(t *testing.T) {
	dir := t.TempDir()
	kernel, err := Open(write(t, dir, "vmlinux.btf", btftest.Corpus(t, "amd64-7.2-cloud")), []string{write(t, dir, "veth.btf", btftest.Corpus(t, "amd64-7.2-cloud.veth"))}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	base := kernel.View.Base()
	repeated := 0
	for typ := range kernel.View.All() {
		if typ.ID() >= kernel.View.FirstID() && typ.HasName() && len(base.Lookup(typ.Name(), typ.Kind())) > 0 {
			repeated++
		}
	}
	if repeated == 0 {
		t.Error("the module repeats nothing, so this says nothing")
	}
}

// distilled returns the kernel's test module, and a whole kernel that has all
// that it needs, in another order, among other things and under names of which
// some stand for more than one type.
func distilled(t *testing.T) (base, split, kernel []byte) {
	base, split = btftest.Corpus(t, "btf_testmod.distilled-base"), btftest.Corpus(t, "btf_testmod")
	view, err := btfdump.New(base)
	if err != nil {
		t.Fatal(err)
	}
	b := btftest.New()
	b.Int("unrelated", 2, 0)
	integer := b.Int("something_else", 4, 0)
	var types []btfdump.Type
	for typ := range view.All() {
		types = append(types, typ)
	}
	slices.Reverse(types)
	for _, typ := range types {
		name, size := typ.Name(), typ.Size()
		switch typ.Kind() {
		case btfdump.KindInt:
			b.Raw(int(typ.Kind()), name, 0, false, size, uint32(typ.IntEncoding())<<24|typ.IntBits())
		case btfdump.KindStruct, btfdump.KindUnion:
			b.Raw(int(typ.Kind()), name, 0, false, size+4) // of another size
			if size < 4 {
				b.Raw(int(typ.Kind()), name, 0, false, size)
				continue
			}
			b.Raw(int(typ.Kind()), name, 1, false, size, b.Str("member"), uint32(integer), 0)
		case btfdump.KindFwd:
			kind := btftest.KindStruct
			if typ.KindFlag() {
				kind = btftest.KindUnion
			}
			b.Raw(kind, name, 0, false, 40)
		case btfdump.KindEnum, btfdump.KindEnum64:
			b.Raw(btftest.KindEnum, name, 1, false, size, b.Str("VALUE_OF_"+name), 1)
		default:
			b.Raw(int(typ.Kind()), name, 0, false, size)
		}
	}
	return base, split, b.Bytes()
}

func TestDistilledBase(t *testing.T) {
	base, split, kernel := distilled(t)
	dir := t.TempDir()
	file := moduleELF("bpf_testmod", "7.2.1-test", split, elfSection{".BTF.base", elf.SHT_PROGBITS, 0, base})
	module := write(t, dir, "bpf_testmod.ko", file)
	vmlinux := write(t, dir, "vmlinux.btf", kernel)

	// On a kernel its types are the kernel's.
	got, err := Open(vmlinux, []string{module}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := btfdump.New(base)
	if err != nil {
		t.Fatal(err)
	}
	original, err := btfdump.NewSplit(split, want)
	if err != nil {
		t.Fatal(err)
	}
	shift := int(got.View.FirstID()) - int(original.FirstID())
	if !bytes.Equal(got.View.Base().Raw(), kernel) || got.View.NumTypes()-original.NumTypes() != shift {
		t.Fatal("the view is not the module's types on the kernel's")
	}
	checked := 0
	for typ := range original.All() {
		if typ.ID() < original.FirstID() {
			continue
		}
		moved := got.View.Type(btfdump.TypeID(int(typ.ID()) + shift))
		if moved.Kind() != typ.Kind() || moved.Name() != typ.Name() || moved.Vlen() != typ.Vlen() {
			t.Fatalf("%v %q has become %v %q", typ.Kind(), typ.Name(), moved.Kind(), moved.Name())
		}
		for i, m := range typ.Members() {
			n := moved.Member(i)
			if m.Name != n.Name || m.BitOffset != n.BitOffset {
				t.Fatalf("%q: member %q has become %q", typ.Name(), m.Name, n.Name)
			}
			if m.Type < original.FirstID() && m.Type != 0 {
				from, to := original.Type(m.Type), got.View.Type(n.Type)
				if from.Name() != to.Name() || from.Size() != to.Size() {
					t.Fatalf("%q: member %q is of %v %q, %d bytes, and has become %v %q, %d bytes", typ.Name(), m.Name, from.Kind(), from.Name(), from.Size(), to.Kind(), to.Name(), to.Size())
				}
				checked++
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d members lead to the base", checked)
	}

	// Where no kernel is at hand, its own base does.
	alone, err := open(module, nil, Options{}, noKernel(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(alone.View.Raw(), split) || !bytes.Equal(alone.View.Base().Raw(), base) || alone.Release != "7.2.1-test" {
		t.Error("got other types than the module's on its own base")
	}

	// A kernel that lacks something is an error that says what.
	_, err = Open(write(t, dir, "small.btf", smallBTF()), []string{module}, Options{})
	if err == nil || !strings.Contains(err.Error(), "does not fit") || !strings.Contains(err.Error(), "it has no ") || !strings.Contains(err.Error(), "more") {
		t.Errorf("got the error %v", err)
	}
	// So is one with two types that could be meant.
	b := btftest.New()
	integer := b.Int("int", 4, btftest.Signed)
	for _, member := range []string{"a", "b"} {
		b.Struct("twice", 4, btftest.Field(member, integer, 0))
	}
	small := btftest.New()
	small.Raw(btftest.KindStruct, "twice", 0, false, 4)
	on := small.Split()
	on.Struct("mine", 4, btftest.Field("t", 1, 0))
	ambiguous := write(t, dir, "ambiguous.ko", moduleELF("ambiguous", "", on.Bytes(), elfSection{".BTF.base", elf.SHT_PROGBITS, 0, small.Bytes()}))
	_, err = Open(write(t, dir, "twice.btf", b.Bytes()), []string{ambiguous}, Options{})
	if err == nil || !strings.Contains(err.Error(), "it has 2 types struct twice of 4 bytes") {
		t.Errorf("got the error %v", err)
	}
}

// A kernel's type takes the place of one in the distilled base only if the
// module's own types are then laid out as before.
func TestDistilledBaseOfOtherTypes(t *testing.T) {
	kernel := btftest.New()
	integer := kernel.Int("int", 4, btftest.Signed)
	kernel.Raw(btftest.KindInt, "odd", 0, false, 4, 7<<16|5) // an old bitfield's type: 5 bits from bit 7 on
	kernel.Struct("record", 4, btftest.Field("a", integer, 0))
	kernel.Typedef("name", integer)
	view, err := btfdump.New(kernel.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		base func(*btftest.Builder)
		want string // "": it fits
	}{
		{"int", func(b *btftest.Builder) { b.Raw(btftest.KindInt, "odd", 0, false, 4, 7<<16|5) }, ""},
		{"int of other bits", func(b *btftest.Builder) { b.Raw(btftest.KindInt, "odd", 0, false, 4, 1<<16|5) }, "it has no int odd of 4 bytes"},
		{"record", func(b *btftest.Builder) { b.Raw(btftest.KindStruct, "record", 0, false, 4) }, ""},
		{"record with members", func(b *btftest.Builder) {
			b.Struct("record", 4, btftest.Field("a", b.Int("int", 4, btftest.Signed), 0))
		}, "type 2 (struct record) has members"},
		{"typedef", func(b *btftest.Builder) { b.Typedef("name", b.Int("int", 4, btftest.Signed)) }, "type 2 (typedef name) is of a kind that no distilled base has"},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := btftest.New()
			c.base(base)
			split := base.Split()
			split.Struct("mine", 4, btftest.Field("m", 1, 0))
			_, err := relocate(split.Bytes(), base.Bytes(), view)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got the error %v, want %q", err, c.want)
			}
		})
	}
}

// BTF can be split twice: what stands on a module needs that.
func TestThirdLevel(t *testing.T) {
	k := newTestKernel(t)
	base := btftest.New()
	integer := base.Int("int", 4, btftest.Signed)
	base.Struct("base_struct", 4, btftest.Field("a", integer, 0))
	module := base.Split()
	own := module.Struct("veth_struct", 4, btftest.Field("a", integer, 0))
	onModule := module.Split()
	onModule.Struct("inline_struct", 4, btftest.Field("v", own, 0))
	write(t, k.live.btf, "veth", module.Bytes())
	write(t, k.live.btf, "veth.inline", onModule.Bytes())

	want := []string{"base_struct", "veth_struct", "inline_struct"}
	for _, modules := range [][]string{{"veth.inline"}, {"veth", "veth.inline"}, {"veth.inline", "veth"}} {
		kernel, err := k.open("", modules...)
		if err != nil {
			t.Fatal(err)
		}
		if got := structs(kernel.View); !slices.Equal(got, want) {
			t.Errorf("%q: got the structs %q, want %q", modules, got, want)
		}
	}
	kernel, err := k.open("", "all")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := structs(kernel.View), []string{"base_struct", "alpha_struct", "beta_struct", "veth_struct", "inline_struct"}; !slices.Equal(got, want) {
		t.Errorf("got the structs %q, want %q", got, want)
	}
	files := []string{write(t, k.dir, "veth.ko", moduleELF("veth", "", module.Bytes())), write(t, k.dir, "veth.inline.btf", onModule.Bytes())}
	kernel, err = k.open(filepath.Join(k.dir, "vmlinux.btf"), files...)
	if err != nil {
		t.Fatal(err)
	}
	if got := structs(kernel.View); !slices.Equal(got, want) {
		t.Errorf("from files: got the structs %q, want %q", got, want)
	}
	if _, err := k.open(filepath.Join(k.dir, "vmlinux.btf"), files[1]); err == nil || !strings.Contains(err.Error(), "give that too") {
		t.Errorf("without the module: got the error %v", err)
	}
}
